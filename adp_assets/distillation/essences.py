"""Extracting essences: the model reads a solved trajectory and says what made it work."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import Struct

from adp_assets.llm import ask_all
from runtimes.contracts import Essence, SuccessPattern, TaskSpec, Trajectory
from runtimes.llm.base import ChatModel
from runtimes.llm.structured import NotAnswered, ask

PROMPT_VERSION = "1"
SHOWN_OBSERVATION = 400
INSTRUCTION = (
    "You distil what an AI agent did into the essence of its task: the domain (such as math_algorithms, "
    "data_processing, web_automation), the query in general words, its complexity, and the pattern of what "
    "worked: the steps that mattered, the shape of the execution, and how one could tell that it worked."
)


class EssenceDraft(Struct, frozen=True, kw_only=True):
    """What the model is asked for; the rest of an essence is known already."""

    domain: str
    query: str
    complexity_level: Literal["simple", "medium", "complex"]
    success_pattern: SuccessPattern


@dataclass(frozen=True)
class Distilled:
    """The essences, and why each eligible trajectory that gave none did not, by its task's id."""

    essences: list[Essence]
    skipped: dict[str, str]


def eligible(trajectories: Iterable[Trajectory]) -> list[Trajectory]:
    """One verified success a task, the shortest; equally short ones by sample."""
    best: dict[str, Trajectory] = {}
    for trajectory in trajectories:
        if trajectory.outcome != "solved":
            continue
        known = best.get(trajectory.task_id)
        if known is None or _length(trajectory) < _length(known):
            best[trajectory.task_id] = trajectory
    return [best[task_id] for task_id in sorted(best)]


async def distil(
    trajectories: list[Trajectory], tasks: dict[str, TaskSpec], model: ChatModel, *, at_once: int
) -> Distilled:
    """One essence a trajectory; the same trajectories and model replies give the same essences."""

    async def one(trajectory: Trajectory) -> Essence:
        task = tasks[trajectory.task_id]
        draft = await ask(model, EssenceDraft, INSTRUCTION, facts_of(trajectory, task))
        return Essence(
            essence_id=_essence_id(trajectory),
            task_id=task.task_id,
            root_id=task.lineage.root_id,
            round=trajectory.round,
            task_type=task.task_type,
            domain=draft.domain,
            query=draft.query,
            complexity_level=draft.complexity_level,
            success_pattern=draft.success_pattern,
        )

    answers = await ask_all(trajectories, one, at_once=at_once)
    skipped = {
        trajectory.task_id: str(answer)
        for trajectory, answer in zip(trajectories, answers, strict=True)
        if isinstance(answer, NotAnswered)
    }
    return Distilled([answer for answer in answers if isinstance(answer, Essence)], skipped)


def facts_of(trajectory: Trajectory, task: TaskSpec) -> dict[str, Any]:
    """What the model is shown: the task without its verifier, and the steps with short observations."""
    return {
        "task": {
            "task_type": task.task_type,
            "description": task.description,
            "expected_tools": task.expected_tools,
            "constraints": task.constraints,
        },
        "outcome": trajectory.outcome,
        "steps": [
            {
                "tool": step.tool_name,
                # Not whether it was done again: the same solution is the same question, and paid once.
                "arguments": {name: value for name, value in step.action_params.items() if name != "cached"},
                "observation": str(step.observation or "")[:SHOWN_OBSERVATION],
                "success": step.success,
            }
            for step in trajectory.steps
        ],
    }


def essence_rows(essences: list[Essence]) -> list[dict[str, Any]]:
    """Essences as plain rows, the pattern as a nested record."""
    return [msgspec.to_builtins(essence) for essence in essences]


def _essence_id(trajectory: Trajectory) -> str:
    key = f"{trajectory.round}\0{trajectory.task_id}\0{trajectory.sample}"
    return "essence-" + hashlib.sha256(key.encode()).hexdigest()[:16]


def _length(trajectory: Trajectory) -> tuple[int, int]:
    return len(trajectory.steps), trajectory.sample
