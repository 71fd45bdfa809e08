"""The gate of sanity: a verifier that knows right from wrong, and says the same when it is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import Finding, Gate, refused
from adp_assets.mutation.gates.tries import Outages
from adp_assets.mutation.gates.wrong_answers import WrongAnswer, empty, wrong_answers
from runtimes.contracts import TaskSpec, Trajectory
from runtimes.grading.base import VerifierKind, VotingKind, needs_last_page, read_verifier
from runtimes.grading.composite import PartsSpec
from runtimes.grading.page_reading import open_page
from runtimes.grading.page_state import PageStateSpec
from runtimes.perform import graded
from runtimes.services import Services
from runtimes.web.egress.guard import Guard
from runtimes.world import World


class SanityGate(Gate):
    """The verifier, as it grades agents, given a right answer and wrong ones in a world nobody touched.

    - It decides from the answer: the candidate's reference passes, and an empty answer and wrong ones do not.
    - It decides from the world's state: untouched, that passes with no answer. What a right end looks like is
      then shown by the trials alone.
    - It votes, or a judge alone decides: refused, since nothing shows that it knows right from wrong.

    The reference, or the empty answer where there is none, and the first wrong one are graded twice, and both
    verdicts must be the same. `at_once` candidates are checked at a time.
    """

    name = "sanity"

    def __init__(self, services: Services, *, round: str, at_once: int, outages: Outages) -> None:
        self._services = services
        self._round = round
        self._outages = outages
        self._places = asyncio.Semaphore(at_once)
        # A check of the last page holds one page and asks for another: two at once could wait for ever.
        self._last_page = asyncio.Lock()

    async def judge(self, task: TaskSpec, candidate: Candidate) -> Finding:
        assert task.verifier is not None
        kind, spec = read_verifier(task.verifier)
        if isinstance(kind, VotingKind):
            return refused(
                f"a verifier that votes ({task.verifier.kind}) cannot be checked: it knows no answer"
            )
        reference = candidate.reference if _decides_by_answer(kind, spec) else ""
        if not reference and not kind.needs_world(spec):
            return refused("there is no reference answer that the verifier could be checked with")
        async with self._places:
            reason = await self._fault(task, reference)
        return refused(reason) if reason else Finding()

    async def _fault(self, task: TaskSpec, reference: str) -> str:
        """What the verifier gets wrong, in words; empty for none."""
        if reference:
            first = await self._graded(task, reference)
            if not first.verified:
                return f"the verifier is at fault: {first.grade_reason}"
            if not first.success:
                return f"the verifier refuses the reference: {first.grade_reason}"
            if first.judged:
                return "that the reference passes is the word of a judge alone"
            if not (await self._graded(task, reference)).success:
                return "the verifier flips: the reference passed once and failed once"
        wrong = [empty(), *wrong_answers(task, reference)]
        twice = wrong[1] if reference else wrong[0]
        for answer in [*wrong, twice]:
            if fault := await self._taken_in(task, answer):
                return fault
        return ""

    async def _taken_in(self, task: TaskSpec, answer: WrongAnswer) -> str:
        """What is wrong with a verifier that lets this pass, or cannot say; empty where it refuses it."""
        what, text = answer
        found = await self._graded(task, text)
        if not found.verified:
            return f"the verifier is at fault: {found.grade_reason}"
        return f"the verifier lets {what} pass: {found.grade_reason}" if found.success else ""

    async def _graded(self, task: TaskSpec, answer: str) -> Trajectory:
        """The verdict on a made-up episode that only answers. Raises what `Outages.outlast` does."""
        made_up = Trajectory(
            task_id=task.task_id,
            runtime_id="sanity",
            task_type=task.task_type,
            round=self._round,
            final_result=answer,
            prompt=[{"role": "user", "content": task.description}],
        )

        async def once() -> Trajectory:
            async with self._untouched(task) as world:
                return await graded(task.verifier, msgspec.structs.replace(made_up), self._services, world)

        return await self._outages.outlast(once)

    @asynccontextmanager
    async def _untouched(self, task: TaskSpec) -> AsyncIterator[World]:
        """The world of an agent that did nothing: it sees its first page, where it has one."""
        url = task.constraints.get("start_url")
        hosts = Guard.of_task(task).allowed_domains
        if not url or task.verifier is None or not needs_last_page(task.verifier):
            yield World(allowed_domains=hosts, last_url=url or "")
            return
        async with self._last_page, self._services.browsers.grading_page(None, allowed_domains=hosts) as page:
            await open_page(page, url)
            yield World(allowed_domains=hosts, last_url=page.url, last_page=page)


def _decides_by_answer(kind: VerifierKind[Any], spec: Any) -> bool:
    """Whether an answer alone can pass, whatever else an agent did."""
    if isinstance(spec, PageStateSpec):
        return all(check.compare is not msgspec.UNSET and not check.on_last_page for check in spec.checks)
    if isinstance(spec, PartsSpec):
        return all(_decides_by_answer(*part.ready()) for part in spec.parts)
    return not kind.needs_world(spec)
