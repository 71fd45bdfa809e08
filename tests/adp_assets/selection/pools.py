"""Pools of seeds and of tasks made from them, as the tests of selection want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adp_assets.intake.pool import Known, TaskPool
from runtimes.contracts import Lineage, TaskSpec
from tests.adp_assets.tasks import task


def made(task_id: str, root: str, *, domain: str = "", parent: str = "", **fields: Any) -> TaskSpec:
    """A task made from the root seed, or from a descendant of it."""
    lineage = Lineage(root, (parent or root,), "parameter", 1, "/tasks.jsonl")
    return task(task_id, lineage=lineage, metadata={"domain": domain} if domain else {}, **fields)


def put(
    pool: TaskPool, tasks: Sequence[TaskSpec], *, tried: float | None = None, novelty: float | None = None
) -> None:
    """Let the tasks wait, each with the pass rate of its trials and its novelty."""
    known = {each.task_id: Known(novelty=novelty, expected_pass=tried) for each in tasks}
    with pool.database.begin() as connection:
        assert pool.add(connection, tasks, known=known) == {each.task_id for each in tasks}
