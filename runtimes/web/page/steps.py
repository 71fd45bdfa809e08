"""The course of a step on a page: find the element, act, settle, observe, record.

It is the same for every action; what an agent can do is `page.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from runtimes.contracts import WebRecord
from runtimes.errors import ToolError
from runtimes.web.futures import may_fail_unheard
from runtimes.web.observation.observer import Look, Observation, Observer
from runtimes.web.observation.targets import Target, find_target
from runtimes.web.page import navigation
from runtimes.web.page.camera import Camera
from runtimes.web.page.deadlines import GRACE_SECONDS, guarded
from runtimes.web.page.faults import fault
from runtimes.web.page.record import Recorder
from runtimes.web.page.settle import settle
from runtimes.web.page.watch import Watch

if TYPE_CHECKING:
    from playwright.async_api import Page

Act = Callable[["Page", Recorder], Awaitable[None]]
"""What a step does to the page; it tells the recorder what it was done to."""

FindTarget = Callable[["Page", Observer, str], Awaitable[Target]]
"""Gives the element that an agent names, of what it saw last. Raises ToolError where there is none."""

OBSERVE_SECONDS = 10.0
_LOOKS = 3


class Steps:
    """Takes the steps of one page, one at a time, and keeps the record of the last one."""

    def __init__(self, watch: Watch, observer: Observer, camera: Camera, navigation_seconds: float) -> None:
        self._watch = watch
        self._observer = observer
        self._camera = camera
        self._navigation_seconds = navigation_seconds
        self.find: FindTarget = find_target
        self._opened: Recorder | None = None
        self._seen: Page | None = None
        self._glance: tuple[list[Page], asyncio.Task[Look]] | None = None
        self._record: WebRecord | None = None

    def take_record(self) -> WebRecord | None:
        """The record of the last step, also a failed one; None once taken."""
        record, self._record = self._record, None
        return record

    async def take(
        self,
        what: str,
        act: Act,
        seconds: float,
        *,
        too_late: str = "action_timeout",
    ) -> Observation:
        """Do `act` within `seconds`, wait for the page to settle, and look at it.

        `what` is the action as a message names it, `too_late` the class of its fault where only time ran out.
        """
        with self._recording() as step:
            await self._do(step, what, act, seconds, too_late)
            return await self.see(step)

    async def open(self, what: str, act: Act, seconds: float) -> Recorder:
        """The first step, which is seen, or its fault raised, by the first `observe`. Gives its recorder."""
        opened = self._recording()
        with suppress(ToolError), opened:
            await self._do(opened, what, act, seconds, "navigation_timeout")
        self._opened = opened
        return opened

    async def observe(self) -> Observation:
        """The current page as it is now."""
        self._forget()  # the page may have moved on since it came to rest
        opened, self._opened = self._opened, None
        if opened is None:
            return await self.look()
        if opened.fault is not None:
            raise opened.fault
        return await self.see(opened)

    async def see(self, step: Recorder) -> Observation:
        """Look, and put what is seen into the record of `step`."""
        with step.timed("observe"):
            observation = await self.look()
        step.observed(observation)
        with step.timed("screenshot"):
            step.record.screenshot = await self._camera.digest(self._watch.page)
        return observation

    @asynccontextmanager
    async def reading(self, what: str) -> AsyncIterator[tuple[Page, Recorder]]:
        """A step that looks at the page without changing it."""
        with self._recording() as step:
            async with guarded(self._watch, what, OBSERVE_SECONDS):
                page = await self._watch.live_page()
                await self._refuse_forbidden(page)
                yield page, step
                if await self._refuse_forbidden(page):
                    raise _frames_lead_on()  # what was read may have stood there

    async def look(self) -> Observation:
        """The current page as it is now, whatever came before."""
        for _ in range(_LOOKS):
            async with guarded(self._watch, "looking at the page", OBSERVE_SECONDS):
                page = await self._watch.live_page()
                await self._refuse_forbidden(page)
                look = await self._looked(page)
                emptied = await self._refuse_forbidden(page)  # it may have gone on while it was read
            if self._watch.page is page and not emptied:
                break
            self._forget()  # a window opened or closed while it was looked at
            await self._settle()
        if emptied:
            raise _frames_lead_on()
        notices = self._watch.notices.pending()
        observation = self._observer.tell(look, notices)
        self._watch.notices.told(notices)
        self._seen = page
        return observation

    async def _looked(self, page: Page) -> Look:
        """The look begun while the page settled, where it is of this page and of now; else one begun now."""
        from playwright.async_api import Error

        tabs = self._watch.context.pages
        glance, self._glance = self._glance, None
        if glance is not None and glance[0] == tabs:
            with suppress(Error):
                look = await glance[1]
                if (look.page, look.url) == (page, page.url):
                    return look
        self._camera.discard()  # its picture is as old as the look
        return await self._observer.look(page, tabs)

    def _rest(self, page: Page) -> None:
        """The page may be at rest: look at it and take its picture beside the wait that will tell."""
        self._camera.expose(page)
        tabs = self._watch.context.pages
        looking = asyncio.create_task(self._observer.look(page, tabs))
        # A look nobody asks for any more may fail unheard.
        may_fail_unheard(looking)
        self._glance = tabs, looking

    def _forget(self) -> None:
        """The page has moved on: what was begun to be seen of it is not how it is now."""
        self._camera.discard()
        self._glance = None

    async def aimed(self, page: Page, step: Recorder, ref: str) -> Target:
        """The element of `ref`, which is what the step is done to."""
        with step.timed("resolve"):
            target = await self.target(page, ref)
        step.aimed(target)
        return target

    async def target(self, page: Page, ref: str) -> Target:
        """Raises ToolError where there is no such element in what the agent saw last."""
        if self._seen is not None and self._seen is not page:
            # Another tab has refs of its own, which look the same.
            if self._seen.is_closed():
                raise fault("closed_tab", f"The tab in which {ref} was is closed.")
            raise fault("stale_ref", f"Another tab than that of {ref} is the current one now.", "Call tabs.")
        return await self.find(page, self._observer, ref)

    async def _do(self, step: Recorder, what: str, act: Act, seconds: float, too_late: str) -> None:
        from playwright.async_api import TimeoutError as PlaywrightTimeout

        watch = self._watch
        async with guarded(watch, what, seconds + GRACE_SECONDS, too_late=too_late):
            page = await watch.live_page()
            watch.begin()
            try:
                await act(page, step)
            except PlaywrightTimeout:
                # The action itself was done when it is only the page it led to that does not come.
                if too_late == "navigation_timeout" or not watch.navigating:
                    raise
        with step.timed("settle"):
            await self._settle()
        if url := watch.refused_document:
            watch.notices.append(f"{url} was not opened: {watch.guard.refusal(url)}.")

    def _recording(self) -> Recorder:
        self._forget()
        self._opened = None
        recorder = Recorder(self._watch)
        self._record = recorder.record
        return recorder

    async def _settle(self) -> None:
        await settle(
            self._watch,
            self._navigation_seconds,
            resting=self._rest,
            moved=self._forget,
        )

    async def _refuse_forbidden(self, page: Page) -> bool:
        """Show nothing of an address that may not be opened, by whatever way the page came there.

        A frame at one, such as an advertisement, is emptied, and does not cost the agent the page around it:
        whether there was one.
        """
        emptied, guard = False, self._watch.guard
        for frame in page.frames:
            if guard.may_show(url := frame.url):
                continue
            if frame is page.main_frame:
                await page.goto("about:blank")
                raise navigation.refused(self._watch, url)
            await frame.goto("about:blank")
            self._watch.notices.append(f"A frame was emptied: {url} may not be opened: {guard.refusal(url)}.")
            self._forget()  # a look begun before may hold what stood there
            emptied = True
        return emptied


def _frames_lead_on() -> ToolError:
    return fault("refused_address", "Frames of the page lead on to addresses that may not be opened.")
