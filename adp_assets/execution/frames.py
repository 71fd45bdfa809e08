"""Trajectories as rows: what is filtered and counted by as columns, the whole as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from runtimes.contracts import TaskSpec, Trajectory, trajectory_from_json, trajectory_to_json

COLUMNS: dict[str, pl.DataType] = {
    "round": pl.String(),
    "task_id": pl.String(),
    "sample": pl.Int64(),
    "task_type": pl.String(),
    "runtime_id": pl.String(),
    "description": pl.String(),
    "root_id": pl.String(),
    "operator": pl.String(),
    "generation": pl.Int64(),
    "outcome": pl.String(),
    "success": pl.Boolean(),
    "verified": pl.Boolean(),
    "verifier": pl.String(),
    "reward": pl.Float64(),
    "grade_reason": pl.String(),
    "surplus": pl.Boolean(),
    "error_type": pl.String(),
    "error_message": pl.String(),
    "steps": pl.Int64(),
    "prompt_tokens": pl.Int64(),
    "completion_tokens": pl.Int64(),
    "cost_usd": pl.Float64(),
    "total_duration": pl.Float64(),
    "created_at": pl.Float64(),
    "teacher": pl.String(),
    "model": pl.String(),
    "trajectory": pl.String(),
}
_FROM_TASK = ("description", "root_id", "operator", "generation")


def trajectory_frame(trajectories: Iterable[Trajectory], tasks: Mapping[str, TaskSpec]) -> pl.DataFrame:
    """One row a trajectory, with its task's wording and lineage."""
    return pl.DataFrame([_row(t, tasks[t.task_id]) for t in trajectories], schema=COLUMNS)


def trajectories_of(frame: pl.DataFrame) -> list[Trajectory]:
    """The whole trajectories of a frame's rows, in their order."""
    return [trajectory_from_json(document) for document in frame["trajectory"]]


def success_rate(frame: pl.DataFrame) -> float | None:
    """The share of verified trajectories that were solved; None where none was verified."""
    verified = frame.filter(pl.col("verified"))
    return int(verified["success"].sum()) / verified.height if verified.height else None


def outcome_counts(frame: pl.DataFrame) -> dict[str, int]:
    """How many rows ended in each way."""
    return dict(Counter(frame["outcome"].to_list()))


def _row(trajectory: Trajectory, task: TaskSpec) -> dict[str, Any]:
    row: dict[str, Any] = {
        name: getattr(trajectory, name)
        for name in COLUMNS
        if name not in _FROM_TASK and name not in {"steps", "trajectory"}
    }
    return row | {
        "description": task.description,
        "root_id": task.lineage.root_id,
        "operator": task.lineage.operator,
        "generation": task.lineage.generation,
        "steps": len(trajectory.steps),
        "trajectory": trajectory_to_json(trajectory).decode(),
    }
