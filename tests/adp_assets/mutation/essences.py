"""Essences of tasks as these tests want them, without a trajectory behind them."""

from __future__ import annotations

from typing import Any

from adp_assets.mutation.candidate import Proposal
from adp_assets.mutation.operators.base import Operator
from runtimes.contracts import Essence, SuccessPattern, TaskSpec
from runtimes.llm.teacher.families import recognise


def essence(task: TaskSpec, **fields: Any) -> Essence:
    known = recognise(task.description)
    level = known.family.level(known.params) if known else 2
    base: dict[str, Any] = {
        "essence_id": f"essence-of-{task.task_id}",
        "task_id": task.task_id,
        "root_id": task.lineage.root_id or task.task_id,
        "round": "round-0001",
        "task_type": task.task_type,
        "domain": known.family.domain if known else "math_algorithms",
        "query": task.description,
        "complexity_level": ("simple", "medium", "complex")[min(level, 3) - 1],
        "success_pattern": SuccessPattern(
            key_steps=["run"], execution_pattern="try, then answer", success_indicators=["42"]
        ),
    }
    return Essence(**{**base, **fields})


def proposal(task: TaskSpec, operator: Operator, partner: TaskSpec | None = None) -> Proposal:
    return Proposal(essence(task), task, operator, 0, partner)
