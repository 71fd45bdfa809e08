"""The gate of novelty: no near copy of any task that is known, in the pool or before it in its round."""

from __future__ import annotations

from adp_assets.intake.pool import Known
from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import Finding, Gate
from adp_assets.mutation.novelty.index import NoveltyIndex
from adp_assets.mutation.novelty.shingles import hashes, packed
from runtimes.contracts import TaskSpec


class NoveltyGate(Gate):
    """Whatever passes counts as known for those that follow, whatever later gates say of it.

    Its novelty is one less the similarity to the nearest task; where frequent shingles were left unread it
    is an upper bound, and the reason says so.
    """

    name = "novelty"

    def __init__(self, index: NoveltyIndex) -> None:
        self._index = index

    async def judge(self, task: TaskSpec, candidate: Candidate) -> Finding:
        own = hashes(task.description)
        nearest = self._index.nearest(own)
        measured = Known(novelty=round(1 - nearest.similarity, 6), shingles=packed(own))
        if nearest.is_copy:
            reason = f"a near copy of {nearest.task_id} (similarity {nearest.similarity:.2f})"
            return Finding(False, reason, measured)
        self._index.add(task.task_id, own)
        if not nearest.task_id:
            return Finding(True, "it is like no known task", measured)
        how = "" if nearest.exact else "at least "
        reason = f"nearest is {nearest.task_id} (similarity {how}{nearest.similarity:.2f})"
        return Finding(True, reason, measured)

    def learn(self, task: TaskSpec) -> None:
        """Let a task count as known that passed before, in an earlier materialization of its round."""
        if task.task_id not in self._index:
            self._index.add(task.task_id, hashes(task.description))
