"""The gate of sanity: a verifier that knows right from wrong, and says the same when it is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import msgspec

from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import Finding, Gate, refused
from adp_assets.mutation.gates.probes import Probe, probes
from adp_assets.mutation.gates.tries import Outages
from adp_assets.mutation.refused import Refused
from runtimes.contracts import TaskSpec, Trajectory
from runtimes.errors import VerifierFault
from runtimes.grading.base import VerifierKind, VotingKind, needs_last_page, read_verifier
from runtimes.grading.composite import PartsSpec
from runtimes.grading.page_reading import Unreadable, open_page
from runtimes.grading.page_state import PageStateSpec
from runtimes.perform import graded
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.egress.guard import Guard
from runtimes.world import World

if TYPE_CHECKING:
    from playwright.async_api import Page

OPINION = "a pass is the word of a judge alone"


class SanityGate(Gate):
    """The verifier, as it grades agents, given a right answer and wrong ones in a world nobody touched.

    - It decides from the answer: the candidate's reference passes, and an empty answer and wrong ones do not.
    - It decides from the world's state: untouched, that passes with no answer. What a right end looks like is
      then shown by the trials alone.
    - The agent's first page is nowhere, or may not be opened: refused, since nobody could begin.
    - It votes, or a judge alone decides: refused, since nothing shows that it knows right from wrong.

    The reference and the first wrong answer, or the empty one where there is no reference, are graded a
    second time in another session, and the verdicts must be the same. `at_once` candidates are checked at a
    time.
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
        asked = probes(task, reference, reads_answer=_reads_answer(kind, spec))
        async with self._places:
            try:
                reason = await self._fault(task, asked)
            except Refused as refusal:
                reason = str(refusal)
        return refused(reason) if reason else Finding()

    async def _fault(self, task: TaskSpec, asked: list[Probe]) -> str:
        """What the verifier gets wrong, in words; empty for none."""
        probe, found = await self._outages.outlast(lambda: self._session(task, asked))
        if not found.verified:
            return f"the verifier is at fault: {found.grade_reason}"
        if found.success != probe.passes:
            verb = f"refuses {probe.what}" if probe.passes else f"lets {probe.what} pass"
            return f"the verifier {verb}: {found.grade_reason}"
        twice = [asked[0], *asked[2:3]] if asked[0].passes else asked[:1]
        probe, found = await self._outages.outlast(lambda: self._session(task, twice))
        if not found.verified or found.success != probe.passes:
            return f"the verifier flips: of {probe.what} it says another time: {found.grade_reason}"
        return ""

    async def _session(self, task: TaskSpec, asked: list[Probe]) -> tuple[Probe, Trajectory]:
        """The first probe that comes out otherwise than it should, else the last, and its verdict.

        Raises InfrastructureError, and BudgetSpent where a judge has a part in it.
        """
        async with self._untouched(task) as world, AsyncExitStack() as stack:
            browsers = OneGradingPage(self._services.browsers, stack)
            services = replace(self._services, browsers=cast("BrowserPool", browsers))
            for probe in asked:
                found = await graded(task.verifier, self._answering(task, probe.answer), services, world)
                if found.success and found.judged:
                    found = msgspec.structs.replace(found, verified=False, grade_reason=OPINION)
                if not found.verified or found.success != probe.passes:
                    break
        return probe, found

    def _answering(self, task: TaskSpec, answer: str) -> Trajectory:
        """A made-up episode that does nothing but answer."""
        return Trajectory(
            task_id=task.task_id,
            runtime_id="sanity",
            task_type=task.task_type,
            round=self._round,
            final_result=answer,
            prompt=[{"role": "user", "content": task.description}],
        )

    @asynccontextmanager
    async def _untouched(self, task: TaskSpec) -> AsyncIterator[World]:
        """The world of an agent that did nothing: it sees its first page, where it has one.

        Raises Refused where no try could open that page.
        """
        url = task.constraints.get("start_url")
        hosts = Guard.of_task(task).allowed_domains
        if not url or task.verifier is None or not needs_last_page(task.verifier):
            yield World(allowed_domains=hosts, last_url=url or "")
            return
        async with self._last_page, self._services.browsers.grading_page(None, allowed_domains=hosts) as page:
            try:
                await open_page(page, url)
            except (VerifierFault, Unreadable) as error:
                cause = error.message if isinstance(error, VerifierFault) else error
                raise Refused(f"the start page cannot be opened: {cause}") from error
            yield World(allowed_domains=hosts, last_url=page.url, last_page=page)


class OneGradingPage:
    """A browser pool that opens one page, when first asked for it, and gives it to every grader of a session.

    What these see is the world that nobody touched, so none can leave anything to the next.
    """

    def __init__(self, browsers: BrowserPool, stack: AsyncExitStack) -> None:
        self._browsers = browsers
        self._stack = stack
        self._page: Page | None = None

    @asynccontextmanager
    async def grading_page(
        self, storage_state: dict[str, Any] | None, *, allowed_domains: tuple[str, ...] | None = None
    ) -> AsyncIterator[Page]:
        if self._page is None:
            opening = self._browsers.grading_page(storage_state, allowed_domains=allowed_domains)
            self._page = await self._stack.enter_async_context(opening)
        yield self._page


def _decides_by_answer(kind: VerifierKind[Any], spec: Any) -> bool:
    """Whether an answer alone can pass, whatever else an agent did."""
    if isinstance(spec, PageStateSpec):
        return all(check.compare is not msgspec.UNSET and not check.on_last_page for check in spec.checks)
    if isinstance(spec, PartsSpec):
        return all(_decides_by_answer(*part.ready()) for part in spec.parts)
    return not kind.needs_world(spec)


def _reads_answer(kind: VerifierKind[Any], spec: Any) -> bool:
    """Whether the answer has any part in the verdict."""
    if isinstance(spec, PageStateSpec):
        return any(check.compare is not msgspec.UNSET for check in spec.checks)
    if isinstance(spec, PartsSpec):
        return any(_reads_answer(*part.ready()) for part in spec.parts)
    return True
