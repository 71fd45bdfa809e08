"""Which trajectories become training rows: a funnel of stages, each with the number that passed it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from adp_assets.curation.rows import COLUMNS, Untrainable, compact, content_hash, split_of, training_messages
from runtimes.contracts import TaskSpec, Trajectory

TEST_SHARE = 0.1


@dataclass(frozen=True)
class Selection:
    """The rows, and how many trajectories were left after each stage, in order."""

    rows: pl.DataFrame
    funnel: dict[str, int]


def select(
    trajectories: Iterable[Trajectory], tasks: dict[str, TaskSpec], *, judged: bool = False
) -> Selection:
    """Verified successes with at least one step that are not surplus, renderable, each content once.

    Those that rest on a judge's word alone are left out unless `judged`.
    """
    stages = ("trajectories", "finished", "verified success", "not judged alone", "not surplus", "renderable")
    funnel = dict.fromkeys(stages, 0)
    rows: list[dict[str, Any]] = []
    for trajectory in trajectories:
        funnel["trajectories"] += 1
        funnel["finished"] += trajectory.finished
        if trajectory.outcome != "solved" or not trajectory.steps:
            continue
        funnel["verified success"] += 1
        if trajectory.judged and not judged:
            continue
        funnel["not judged alone"] += 1
        if trajectory.surplus:
            continue
        funnel["not surplus"] += 1
        if trajectory.withheld == "refs_moved":
            continue
        try:
            rows.append(_row(trajectory, tasks[trajectory.task_id]))
        except Untrainable:
            continue
        funnel["renderable"] += 1
    frame = without_duplicates(pl.DataFrame(rows, schema=COLUMNS))
    return Selection(frame, {**funnel, "without exact duplicates": frame.height})


def without_duplicates(rows: pl.DataFrame) -> pl.DataFrame:
    """Each content once: the oldest generation's row, then by round, task and sample."""
    ordered = rows.sort("generation", "round", "task_id", "sample")
    return ordered.unique("content_hash", keep="first", maintain_order=True)


def _row(trajectory: Trajectory, task: TaskSpec) -> dict[str, Any]:
    messages = training_messages(trajectory)
    text = compact(messages)
    return {
        "id": f"{trajectory.round}/{trajectory.task_id}/{trajectory.sample}",
        "split": split_of(task.lineage.root_id, TEST_SHARE),
        "task_id": trajectory.task_id,
        "root_id": task.lineage.root_id,
        "round": trajectory.round,
        "sample": trajectory.sample,
        "task_type": trajectory.task_type,
        "operator": task.lineage.operator,
        "generation": task.lineage.generation,
        "verifier": trajectory.verifier,
        "reward": trajectory.reward,
        "teacher": trajectory.teacher,
        "model": trajectory.model,
        "steps": len(trajectory.steps),
        "characters": len(text),
        "completion_tokens": trajectory.completion_tokens,
        "content_hash": content_hash(messages),
        "messages": text,
        "tools": compact(trajectory.tools),
    }
