"""Rows of training data as the shapes and formats are given them."""

from __future__ import annotations

from typing import Any

import polars as pl

from adp_assets.curation.formats.base import Stamp
from adp_assets.curation.rows import ROW_COLUMNS, TOLD, rows_of
from runtimes.contracts import Lineage, TaskSpec, Trajectory
from tests.adp_assets.tasks import task

STAMP = Stamp(run_id="run-1", lineage_hash="abc")
PYTHON: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "python_executor",
        "description": "Run Python.",
        "parameters": {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]},
    },
}


def asked(task_id: str) -> TaskSpec:
    """The task of a row of which nothing else is said."""
    lineage = Lineage(root_id=task_id, source="tasks.jsonl")
    return task(task_id, metadata={"domain": "math_algorithms"}, lineage=lineage)


def row(trajectory: Trajectory, of: TaskSpec | None = None, **fields: Any) -> dict[str, Any]:
    """The row of a trajectory, in the split `train` and with 100 tokens where nothing else is said."""
    of = of or asked(trajectory.task_id)
    (made,) = rows_of([trajectory], {trajectory.task_id: of}).to_dicts()
    told = {"split": "train", "family": made["root_id"], "difficulty": 0.5}
    return {**made, **told, "tokens": 100, **fields}


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={**ROW_COLUMNS, **TOLD, "split": pl.String()})
