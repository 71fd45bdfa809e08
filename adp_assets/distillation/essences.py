"""Extracting essences: the model reads a trajectory and says what made it work, or what it failed by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from adp_assets.llm import ask_all
from runtimes.contracts import Essence, ExecutionStep, SuccessPattern, TaskSpec, Trajectory
from runtimes.llm.base import ChatModel
from runtimes.llm.structured import NotAnswered, ask
from runtimes.tools.base import COMPLETE_TASK

PROMPT_VERSION = "2"
CODE_VERSION = f"2, prompt {PROMPT_VERSION}"
"""What essences depend on beside the trajectories and the model."""

SHOWN_OBSERVATION = 400
SHOWN_ARGUMENT = 2_000
SHOWN_ANSWER = 1_000
"""Characters of each that the model is shown."""

FIRST_STEPS, LAST_STEPS = 10, 30
"""Of a longer trajectory the model is shown its beginning and its end."""

_WHAT = (
    "the domain (such as math_algorithms, data_processing, web_automation), the query in general words, its "
    "complexity, and the pattern of what {pattern}: the steps that mattered, the shape of the execution, and "
    "how one could tell that {told}. `evidence` are the step_ids that the pattern rests on."
)
INSTRUCTION = {
    "success": "You distil what an AI agent did into the essence of its task: "
    + _WHAT.format(pattern="worked", told="it worked"),
    "failure": "You distil why an AI agent failed into the essence of its task: "
    + _WHAT.format(pattern="was done and what it failed by", told="the task had been solved"),
}


class EssenceDraft(Struct, frozen=True, kw_only=True):
    """What the model is asked for; the rest of an essence is known already."""

    domain: Annotated[str, Meta(min_length=1, max_length=64)]
    query: Annotated[str, Meta(min_length=1)]
    complexity_level: Literal["simple", "medium", "complex"]
    success_pattern: SuccessPattern
    evidence: list[int | str] = []


@dataclass(frozen=True)
class Distilled:
    """The essences, and why each eligible trajectory that gave none did not, by its task's id."""

    essences: list[Essence]
    skipped: dict[str, str]

    @property
    def processed(self) -> float:
        """The share of eligible trajectories that gave an essence; 1 where there was none."""
        eligible = len(self.essences) + len(self.skipped)
        return len(self.essences) / eligible if eligible else 1.0


async def distil(
    trajectories: list[Trajectory], tasks: dict[str, TaskSpec], model: ChatModel, *, at_once: int
) -> Distilled:
    """One essence a trajectory; the same trajectories and model replies give the same essences."""

    async def one(trajectory: Trajectory) -> Essence:
        task = tasks[trajectory.task_id]
        kind = _kind(trajectory)
        draft = await ask(model, EssenceDraft, INSTRUCTION[kind], facts_of(trajectory, task))
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
            kind=kind,
            evidence=_evidence(draft, trajectory),
            verifier=trajectory.verifier,
            skills=_skills(trajectory),
            steps=len(trajectory.steps),
            seconds=trajectory.total_duration,
        )

    answers = await ask_all(trajectories, one, at_once=at_once)
    skipped = {
        trajectory.task_id: str(answer)
        for trajectory, answer in zip(trajectories, answers, strict=True)
        if isinstance(answer, NotAnswered)
    }
    return Distilled([answer for answer in answers if isinstance(answer, Essence)], skipped)


def facts_of(trajectory: Trajectory, task: TaskSpec) -> dict[str, Any]:
    """What the model is shown: the task without its verifier, and the steps, long texts cut short."""
    steps = trajectory.steps
    left_out = max(0, len(steps) - FIRST_STEPS - LAST_STEPS)
    if left_out:
        steps = [*steps[:FIRST_STEPS], *steps[-LAST_STEPS:]]
    facts: dict[str, Any] = {
        "task": {
            "task_type": task.task_type,
            "description": task.description,
            "expected_tools": task.expected_tools,
            "constraints": task.constraints,
        },
        "outcome": trajectory.outcome,
        "steps": [
            {
                "step_id": step.step_id,
                "tool": step.tool_name,
                "arguments": _arguments(step),
                "observation": str(step.observation or "")[:SHOWN_OBSERVATION],
                "success": step.success,
            }
            for step in steps
        ],
    }
    if left_out:
        facts["steps_left_out"] = left_out
    if trajectory.outcome != "solved":
        facts["answer"] = str(trajectory.final_result or "")[:SHOWN_ANSWER]
        facts["error"] = trajectory.error_message or ""
    return facts


def essence_rows(essences: list[Essence]) -> list[dict[str, Any]]:
    """Essences as plain rows, the pattern as a nested record."""
    return [msgspec.to_builtins(essence) for essence in essences]


def _kind(trajectory: Trajectory) -> Literal["success", "failure"]:
    return "success" if trajectory.outcome == "solved" else "failure"


def _arguments(step: ExecutionStep) -> dict[str, Any]:
    """The call's arguments; not whether it was done again: the same solution is the same question."""
    return {
        name: value[:SHOWN_ARGUMENT] if isinstance(value, str) else value
        for name, value in step.action_params.items()
        if name != "cached"
    }


def _evidence(draft: EssenceDraft, trajectory: Trajectory) -> list[str]:
    """The steps that the model named and that are there; where it named none, those that worked."""
    there = [str(step.step_id) for step in trajectory.steps]
    named = {str(step_id) for step_id in draft.evidence}
    return [step for step in there if step in named] or [str(step.step_id) for step in _worked(trajectory)]


def _skills(trajectory: Trajectory) -> list[str]:
    """The tools whose calls worked, in order; not that of handing in the answer, which all have."""
    used = dict.fromkeys(step.tool_name for step in _worked(trajectory))
    return [name for name in used if name and name != COMPLETE_TASK]


def _worked(trajectory: Trajectory) -> list[ExecutionStep]:
    return [step for step in trajectory.steps if step.success]


def _essence_id(trajectory: Trajectory) -> str:
    key = f"{trajectory.round}\0{trajectory.task_id}\0{trajectory.sample}"
    return "essence-" + hashlib.sha256(key.encode()).hexdigest()[:16]
