"""Verdicts given anew on trajectories that are there, by the verifiers as they are now. No agent runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from runtimes.contracts import Trajectory, Verifier
from runtimes.errors import InvalidTask
from runtimes.grading.base import check_verifier, needs_world, tally
from runtimes.perform import REDACTED_ANSWER, fault_of, graded
from runtimes.services import Services
from runtimes.world import World

GRADES = "grades"
"""The key of a trajectory's metadata that holds its earlier verdicts, oldest first."""


@dataclass(frozen=True)
class Regraded:
    """A trajectory before and after. `kept` says why it was not graded, `failed` that we are at fault."""

    before: Trajectory
    after: Trajectory
    kept: str = ""
    failed: bool = False

    @property
    def changed(self) -> bool:
        return _said(self.before) != _said(self.after)


async def regrade(
    samples: Sequence[Trajectory], verifier: Verifier | None, services: Services
) -> list[Regraded]:
    """The samples of one task in one round, graded anew, in their order."""
    if verifier is None:
        return [_keep(sample, "its task has no verifier") for sample in samples]
    try:
        check_verifier(verifier)
    except InvalidTask as error:
        return [_keep(sample, str(error)) for sample in samples]
    if needs_world(verifier):
        return [_keep(sample, "its verdict needs the page as the episode left it") for sample in samples]
    if (voted := count_votes(samples, verifier)) is not None:
        return voted
    return await asyncio.gather(*(_one(sample, verifier, services) for sample in samples))


def count_votes(samples: Sequence[Trajectory], verifier: Verifier) -> list[Regraded] | None:
    """The verdicts of a verifier that needs all samples of a task; None for another one."""
    voting = [sample for sample in samples if sample.finished]
    grades = tally(verifier, voting)
    if grades is None:
        return None
    decided = {}
    for place, sample in enumerate(voting):
        after = sample.graded(None if isinstance(grades, str) else grades[place])
        if isinstance(grades, str):
            after = msgspec.structs.replace(after, verifier=verifier.kind, grade_reason=grades)
        decided[sample.sample] = _changed(sample, after)
    return [decided.get(sample.sample) or _keep(sample, _UNFINISHED) for sample in samples]


async def _one(sample: Trajectory, verifier: Verifier, services: Services) -> Regraded:
    if not sample.finished:
        return _keep(sample, _UNFINISHED)
    if sample.metadata.get(REDACTED_ANSWER):
        return _keep(sample, "a secret was taken out of its answer, and the verdict may have needed it")
    try:
        return _changed(sample, await graded(verifier, sample, services, World()))
    except Exception as error:
        return Regraded(sample, sample, kept=str(fault_of(error, sample)), failed=True)


_UNFINISHED = "it did not come to its end, by no fault of the agent's"


def _keep(sample: Trajectory, why: str) -> Regraded:
    return Regraded(sample, sample, kept=why)


def _changed(before: Trajectory, after: Trajectory) -> Regraded:
    """The new verdict, the old one kept beside it; all as it was where the two are the same."""
    if _said(before) == _said(after):
        return Regraded(before, before)
    if not before.verified:
        return Regraded(before, after)
    old = {
        "verifier": before.verifier,
        "outcome": before.outcome,
        "reward": before.reward,
        "reason": before.grade_reason,
        "judged": before.judged,
        "replaced_at": time.time(),
    }
    history = [*before.metadata.get(GRADES, []), old]
    return Regraded(before, msgspec.structs.replace(after, metadata={**after.metadata, GRADES: history}))


def _said(trajectory: Trajectory) -> tuple[object, ...]:
    """What a verdict says; of the reasons, which two runs may put differently, only why there is none."""
    why = "" if trajectory.verified else trajectory.grade_reason
    return (trajectory.outcome, trajectory.reward, trajectory.verifier, trajectory.judged, why)
