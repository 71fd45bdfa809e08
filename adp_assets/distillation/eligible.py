"""Which trajectories of a round teach something: one success a task, else its most instructive failure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from runtimes.contracts import Trajectory

INSTRUCTIVE_STEPS = 2
"""A failure that did fewer things that worked says nothing about its task."""


@dataclass(frozen=True)
class Eligible:
    """What gives an essence, by task id, and why the others do not: how many trajectories a reason has."""

    trajectories: list[Trajectory]
    left_out: Counter[str]


def eligible(trajectories: Iterable[Trajectory], *, judged: bool = False) -> Eligible:
    """The shortest verified success of each task; of a task never solved the failure that came farthest.

    Equally good ones go by sample. Successes that only a judge vouches for count where `judged` says so.
    """
    by_task: dict[str, list[Trajectory]] = defaultdict(list)
    left_out: Counter[str] = Counter()
    for trajectory in trajectories:
        if reason := _unfit(trajectory, judged=judged):
            left_out[reason] += 1
        else:
            by_task[trajectory.task_id].append(trajectory)
    chosen = []
    for task_id in sorted(by_task):
        best = min(by_task[task_id], key=_rank)
        chosen.append(best)
        left_out["another try of its task teaches more"] += len(by_task[task_id]) - 1
    return Eligible(chosen, +left_out)


def _unfit(trajectory: Trajectory, *, judged: bool) -> str:
    if trajectory.outcome == "solved":
        return "only a judge vouches for it" if trajectory.judged and not judged else ""
    if trajectory.outcome != "unsolved":
        return f"it is {trajectory.outcome}"
    if sum(step.success for step in trajectory.steps) < INSTRUCTIVE_STEPS:
        return f"it failed before {INSTRUCTIVE_STEPS} steps worked"
    return ""


def _rank(trajectory: Trajectory) -> tuple[float, ...]:
    """The least is the best: successes first, the shorter the better; failures by how far they came."""
    if trajectory.outcome == "solved":
        return (0, len(trajectory.steps), trajectory.sample)
    worked = sum(step.success for step in trajectory.steps)
    return (1, -(trajectory.reward or 0.0), -worked, trajectory.sample)
