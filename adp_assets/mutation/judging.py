"""Judging the candidates of a round: cheap gates in order, then the costly ones for many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import Gate, Judgement
from adp_assets.mutation.table import CandidateTable
from runtimes.errors import BudgetSpent, InfrastructureError, ModelRefused
from runtimes.secrets import Redactor

if TYPE_CHECKING:
    from adp_assets.mutation.gates.novel import NoveltyGate


NOT_YET = "it was not judged to the end"


@dataclass(frozen=True)
class Judging:
    """The gates of one round and the table that keeps what they say.

    `cheap` and then `novelty` judge one candidate after another, so that the same are refused every time;
    `costly` ones, which run code, pages and episodes, judge as many at once as they let in. A candidate is
    kept with its task before any of these begins, so that what is said later is said of that task, and a
    verdict as it falls.
    """

    table: CandidateTable
    round: str
    cheap: Sequence[Gate]
    novelty: NoveltyGate
    costly: Sequence[Gate]
    redactor: Redactor

    async def judge(self, judgements: Sequence[Judgement]) -> None:
        """Decide those that are not decided yet, in their order. Raises ModelRefused.

        One that cannot be decided now stays undecided, with the reason, and is kept as that.
        """
        due = []
        for judgement in judgements:
            task = judgement.candidate.task
            if not judgement.is_decided:
                await judgement.ask([*self.cheap, self.novelty])
                judgement.undecided = "" if judgement.is_refused else NOT_YET
                due.append(judgement)
            elif judgement.has_passed(self.novelty.name) and task is not None:
                self.novelty.learn(task)
        await self._keep(due)
        try:
            async with asyncio.TaskGroup() as group:
                for judgement in due:
                    if judgement.undecided:
                        group.create_task(self._decide(judgement))
        except BaseExceptionGroup as faults:
            raise faults.exceptions[0] from faults

    async def _decide(self, judgement: Judgement) -> None:
        try:
            await judgement.ask(self.costly)
        except ModelRefused:
            raise
        except (InfrastructureError, BudgetSpent) as error:
            judgement.undecided = str(error)
        else:
            judgement.undecided = ""
            judgement.accepted = not judgement.is_refused
        if judgement.accepted and judgement.known.expected_pass == 1:
            judgement.candidate = _marked_trivial(judgement.candidate)
        await self._keep([judgement])

    async def _keep(self, judged: list[Judgement]) -> None:
        for judgement in judged:
            judgement.without_secrets(self.redactor)
        if judged:
            await asyncio.to_thread(self.table.keep, self.round, judged, self.novelty)


def _marked_trivial(candidate: Candidate) -> Candidate:
    """With a task that says of itself that every trial solved it."""
    task = candidate.task
    assert task is not None
    return replace(candidate, task=msgspec.structs.replace(task, metadata={**task.metadata, "trivial": True}))
