"""Lines whose id the pool has: whether they say the same as it, and taking their version where asked to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from sqlalchemy import Connection

from adp_assets.intake.pool import TaskPool
from runtimes.contracts import Lineage, TaskSpec

NEW_ID = "Give the line a task_id of its own."


class KnownTasks:
    """Lets the pool have the versions that lines bring of tasks it knows.

    `held` are tasks that must stay as they are, and the unfinished round that each is of: its episodes to
    come would be of another task than those it has.
    """

    def __init__(self, pool: TaskPool, held: Mapping[str, str] = MappingProxyType({})) -> None:
        self._pool = pool
        self._held = held

    def take(self, connection: Connection, task: TaskSpec, stored: TaskSpec) -> str:
        """Let the pool have the line's version, of the line's file; gives why not, with the way out, or "".

        Trajectories keep what they were run with. A task that was made from others is none of the file's.
        """
        if task.lineage.source == stored.lineage.source and not differs(task, stored):
            return ""
        if stored.lineage.generation > 0:
            return f"the pool's task of that id was made from {stored.lineage.root_id}. {NEW_ID}"
        if task.task_type != stored.task_type:
            return f"it was run as a task of type {stored.task_type}. {NEW_ID}"
        if round := self._held.get(task.task_id):
            return f"{round}, which has it, is not finished. Run without --again first. Or: {NEW_ID}"
        self._pool.replace(connection, task)
        return ""


def differs(task: TaskSpec, stored: TaskSpec) -> bool:
    """Whether a line says other than the pool has under its id, the file it came from aside."""
    return _said(task) != _said(stored)


def _said(task: TaskSpec) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(task, lineage=Lineage()), order="deterministic")
