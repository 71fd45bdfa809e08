"""The gate of novelty: no near copy of any task that is known, in the pool or before it in its round."""

from __future__ import annotations

import time

from sqlalchemy import Connection

from adp_assets.intake.pool import Known
from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import Finding, Gate
from adp_assets.mutation.novelty.index import Nearest, NoveltyIndex
from adp_assets.mutation.novelty.known import came_in
from adp_assets.mutation.novelty.shingles import hashes, packed
from runtimes.contracts import TaskSpec

SLACK = 60
"""Seconds by which the clocks of those who add tasks may differ, and for which they may take to commit."""


class NoveltyGate(Gate):
    """Whatever passes counts as known for those that follow, whatever later gates say of it.

    Its novelty is one less the similarity to the nearest task; where frequent shingles were left unread it
    is an upper bound, and the reason says so. `loaded_at` is when the pool began to be loaded into the index,
    epoch seconds: what came in later is found by `look_again`.
    """

    name = "novelty"

    def __init__(self, index: NoveltyIndex, loaded_at: float = 0.0) -> None:
        self._index = index
        self._looked_at = loaded_at
        self._arrived = NoveltyIndex()

    async def judge(self, task: TaskSpec, candidate: Candidate) -> Finding:
        own = hashes(task.description)
        nearest = self._index.nearest(own)
        measured = Known(novelty=round(1 - nearest.similarity, 6), shingles=packed(own))
        if nearest.is_copy:
            return Finding(False, _copy_of(nearest), measured)
        self._index.add(task.task_id, own)
        if not nearest.task_id:
            return Finding(True, "it is like no known task", measured)
        how = "" if nearest.exact else "at least "
        reason = f"nearest is {nearest.task_id} (similarity {how}{nearest.similarity:.2f})"
        return Finding(True, reason, measured)

    def look_again(self, connection: Connection, task: TaskSpec) -> Finding:
        """Whether a task that passed is still new, though other rounds and files filled the pool meanwhile.

        For the transaction that puts it there, of which only one may go on at a time.
        """
        now = time.time()
        for task_id, own in came_in(connection, self._looked_at - SLACK, self._index).items():
            self._arrived.add(task_id, own)
            self._index.add(task_id, own)
        self._looked_at = now
        nearest = self._arrived.nearest(hashes(task.description))
        if not nearest.is_copy:
            return Finding()
        measured = Known(novelty=round(1 - nearest.similarity, 6))
        return Finding(False, f"{_copy_of(nearest)}, which came into the pool meanwhile", measured)

    def learn(self, task: TaskSpec) -> None:
        """Let a task count as known that passed before, in an earlier materialization of its round."""
        if task.task_id not in self._index:
            self._index.add(task.task_id, hashes(task.description))


def _copy_of(nearest: Nearest) -> str:
    return f"a near copy of {nearest.task_id} (similarity {nearest.similarity:.2f})"
