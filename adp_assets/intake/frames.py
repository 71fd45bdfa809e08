"""Tasks as rows: what people filter by as columns, the whole task as JSON."""

from __future__ import annotations

import msgspec
import polars as pl

from runtimes.contracts import TaskSpec

TASK_COLUMNS = {
    "task_id": pl.String(),
    "task_type": pl.String(),
    "description": pl.String(),
    "priority": pl.Int64(),
    "samples": pl.Int64(),
    "verifier": pl.String(),
    "root_id": pl.String(),
    "parents": pl.List(pl.String()),
    "operator": pl.String(),
    "generation": pl.Int64(),
    "source": pl.String(),
    "spec": pl.String(),
}


def task_frame(tasks: list[TaskSpec], samples: int) -> pl.DataFrame:
    """One row a task; `samples` is how many episodes each is to have."""
    return pl.DataFrame(
        [
            {
                "task_id": task.task_id,
                "task_type": task.task_type,
                "description": task.description,
                "priority": task.priority,
                "samples": samples,
                "verifier": task.verifier.kind if task.verifier else None,
                "root_id": task.lineage.root_id,
                "parents": list(task.lineage.parents),
                "operator": task.lineage.operator,
                "generation": task.lineage.generation,
                "source": task.lineage.source,
                "spec": msgspec.json.encode(task).decode(),
            }
            for task in tasks
        ],
        schema=TASK_COLUMNS,
    )


def tasks_of(frame: pl.DataFrame) -> dict[str, TaskSpec]:
    """The whole tasks of a frame's rows, by id, in their order."""
    tasks = (msgspec.json.decode(spec, type=TaskSpec) for spec in frame["spec"])
    return {task.task_id: task for task in tasks}
