"""Judging the candidates of a round: cheap gates in order, then the costly ones for many at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import Gate, Judgement
from adp_assets.mutation.table import CandidateTable
from runtimes.errors import BudgetSpent, ConfigurationError, InfrastructureError, ModelRefused
from runtimes.secrets import Redactor
from runtimes.text import readable

if TYPE_CHECKING:
    from adp_assets.mutation.gates.novel import NoveltyGate


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judging:
    """The gates of one round and the table that keeps what they say.

    `cheap` and then `novelty` judge one candidate after another, so that the same are refused every time;
    `costly` ones, which run code, pages and episodes, judge as many at once as they let in. A verdict is kept
    as it falls, and one that an earlier materialization gave stands.
    """

    table: CandidateTable
    round: str
    cheap: Sequence[Gate]
    novelty: NoveltyGate
    costly: Sequence[Gate]
    redactor: Redactor

    async def judge(self, proposed: Sequence[Candidate]) -> list[Judgement]:
        """A judgement of each, in their order. Raises ModelRefused."""
        before = await asyncio.to_thread(self.table.judged, self.round, proposed)
        judgements: list[Judgement] = []
        undecided: list[Judgement] = []
        refused: list[Judgement] = []
        for candidate in proposed:
            known = before.get(candidate.task_id)
            judgements.append(known or Judgement(candidate))
            if known is None:
                await self._ask(judgements[-1], [*self.cheap, self.novelty])
                (refused if judgements[-1].is_refused else undecided).append(judgements[-1])
            elif known.has_passed(self.novelty.name) and known.candidate.task is not None:
                self.novelty.learn(known.candidate.task)
        await self._keep(refused)
        try:
            async with asyncio.TaskGroup() as group:
                for judgement in undecided:
                    group.create_task(self._decide(judgement))
        except BaseExceptionGroup as faults:
            raise faults.exceptions[0] from faults
        return judgements

    async def _decide(self, judgement: Judgement) -> None:
        if not judgement.undecided:
            await self._ask(judgement, self.costly)
        if judgement.undecided:
            return
        judgement.accepted = not judgement.is_refused
        if judgement.accepted and judgement.known.expected_pass == 1:
            judgement.candidate = _marked_trivial(judgement.candidate)
        await self._keep([judgement])

    async def _ask(self, judgement: Judgement, gates: Sequence[Gate]) -> None:
        """Ask these gates; what keeps one from saying anything leaves this candidate undecided, and no other.

        Raises what concerns them all: ModelRefused and ConfigurationError.
        """
        try:
            await judgement.ask(gates)
        except (ModelRefused, ConfigurationError):
            raise
        except (InfrastructureError, BudgetSpent) as error:
            judgement.undecided = self.redactor.text(readable(str(error)))
        except Exception as error:
            log.exception(
                "%s: the gate %s met a fault of the platform", judgement.candidate.task_id, judgement.gate
            )
            fault = f"a fault of the platform: {type(error).__name__}: {error}"
            judgement.undecided = self.redactor.text(readable(fault))

    async def _keep(self, judged: list[Judgement]) -> None:
        for judgement in judged:
            judgement.without_secrets(self.redactor)
        if judged:
            await asyncio.to_thread(self.table.keep, self.round, judged)


def _marked_trivial(candidate: Candidate) -> Candidate:
    """With a task that says of itself that every trial solved it."""
    task = candidate.task
    assert task is not None
    return replace(candidate, task=msgspec.structs.replace(task, metadata={**task.metadata, "trivial": True}))
