"""Judging the candidates of a round: cheap gates in order, then the costly ones for many at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import Gate, Judgement, refused
from adp_assets.mutation.table import CandidateTable
from runtimes.errors import BudgetSpent, ConfigurationError, InfrastructureError, ModelRefused
from runtimes.secrets import Redactor
from runtimes.text import readable

if TYPE_CHECKING:
    from adp_assets.mutation.gates.novel import NoveltyGate


log = logging.getLogger(__name__)

NOT_YET = "it was not judged to the end"
MOST_TRIES = 3
"""Materializations that a gate may fail at a candidate. One at which it always fails would hold up its round
for ever."""


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
        """Decide those that are not decided yet, in their order. Raises what `_ask` does.

        One that cannot be decided now stays undecided, with the reason, and is kept as that.
        """
        due, passed = [], []
        for judgement in judgements:
            task = judgement.candidate.task
            if not judgement.is_decided:
                due.append(judgement)
                await self._ask(judgement, [*self.cheap, self.novelty])
                if not judgement.undecided and not judgement.is_refused:
                    judgement.undecided = NOT_YET
                    passed.append(judgement)
            elif judgement.has_passed(self.novelty.name) and task is not None:
                self.novelty.learn(task)
        await self._keep(due)
        try:
            async with asyncio.TaskGroup() as group:
                for judgement in passed:
                    group.create_task(self._decide(judgement))
        except BaseExceptionGroup as faults:
            raise faults.exceptions[0] from faults

    async def _decide(self, judgement: Judgement) -> None:
        judgement.undecided = ""
        await self._ask(judgement, self.costly)
        judgement.accepted = not judgement.undecided and not judgement.is_refused
        if judgement.accepted and judgement.known.expected_pass == 1:
            judgement.candidate = _marked_trivial(judgement.candidate)
        await self._keep([judgement])

    async def _ask(self, judgement: Judgement, gates: Sequence[Gate]) -> None:
        """Ask these gates; what keeps one from saying anything leaves this candidate undecided, and no other.

        A spent budget or a model's server that is down is none of its doing; what else keeps on failing at it
        refuses it in the end. Raises what concerns them all: ModelRefused and ConfigurationError.
        """
        try:
            await judgement.ask(gates)
        except (ModelRefused, ConfigurationError):
            raise
        except (InfrastructureError, BudgetSpent) as error:
            judgement.undecided = readable(str(error))
            judgement.tries += isinstance(error, InfrastructureError) and error.error_type != "network_error"
        except Exception as error:
            log.exception(
                "%s: the gate %s met a fault of the platform", judgement.candidate.task_id, judgement.gate
            )
            judgement.undecided = readable(f"a fault of the platform: {type(error).__name__}: {error}")
            judgement.tries += 1
        if judgement.undecided and judgement.tries >= MOST_TRIES:
            reason = f"it could not be judged in {judgement.tries} tries: {judgement.undecided}"
            judgement.overrule(judgement.gate, refused(reason))
            judgement.undecided = ""

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
