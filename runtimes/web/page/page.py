"""The page of one episode as an agent uses it: an action a method, each giving a new observation.

How a step goes is `steps.py`'s, what an action does to an element `actions.py`'s, and to the address
`navigation.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from runtimes.contracts import WebRecord
from runtimes.secrets import Secret, session_values
from runtimes.web.observation.observer import Observer
from runtimes.web.observation.snapshot import BUDGET, Viewport, cut
from runtimes.web.page import actions, navigation
from runtimes.web.page.actions import Direction, UploadFile
from runtimes.web.page.camera import Camera
from runtimes.web.page.deadlines import guarded
from runtimes.web.page.faults import fault
from runtimes.web.page.reading import Form, read, until_shown
from runtimes.web.page.record import Recorder
from runtimes.web.page.steps import OBSERVE_SECONDS, Act, FindTarget, Steps
from runtimes.web.page.tracing import Tracing
from runtimes.web.page.watch import Watch

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

    from runtimes.web.page.screenshots import ScreenshotStore

VIEWPORT = Viewport(1280, 720)
MAX_WAIT_SECONDS = 30.0


class WebPage:
    """One page in a browser context of its own. Not for concurrent use: one action at a time.

    Every action returns the new observation and leaves a record, failed or not. Raises ToolError for what the
    agent or the site did (`browser_error`: stale ref, element that cannot be acted on; `timeout`;
    `network_error`; `system_error`: an address the task may not open), its `error_class` one of WebRecord's,
    and InfrastructureError when the browser or the page's process died.
    """

    def __init__(
        self,
        watch: Watch,
        observer: Observer,
        *,
        navigation_seconds: float,
        action_seconds: float,
        screenshots: ScreenshotStore | None = None,
    ) -> None:
        self._watch = watch
        self._navigation_seconds = navigation_seconds
        self._action_seconds = action_seconds
        self._camera = Camera(screenshots)
        self._steps = Steps(watch, observer, self._camera, navigation_seconds)
        self._start: Recorder | None = None
        self.tracing = Tracing(watch.context)

    @property
    def url(self) -> str:
        """The address of the current page."""
        return self._watch.page.url

    @property
    def current(self) -> Page:
        """Playwright's page behind it, for a verifier once the agent is done with it."""
        return self._watch.page

    @property
    def blocked(self) -> list[str]:
        """Addresses refused so far, oldest first; the proxy's refusals after the pages'."""
        proxy = self._watch.proxy
        return [*self._watch.blocked, *(proxy.blocked if proxy is not None else ())]

    @property
    def start_record(self) -> WebRecord | None:
        """The record of opening the first address, with what was seen once it is observed; None before."""
        return self._start.record if self._start is not None else None

    @property
    def session(self) -> tuple[Secret, ...]:
        """What documents set as cookies, so far, that proves who one is to the site."""
        return tuple(session_values({"cookies": self._watch.cookies}))

    def find_by(self, find: FindTarget) -> None:
        """Let actions find their elements by `find` in place of the refs of what was seen."""
        self._steps.find = find

    def take_record(self) -> WebRecord | None:
        """The record of the action done last, also a failed one; None once taken."""
        return self._steps.take_record()

    async def storage_state(self) -> dict[str, Any]:
        """The context's cookies and local storage, as `BrowserPool.grading_page` takes them."""
        async with guarded(self._watch, "reading the cookies", OBSERVE_SECONDS):
            return dict(await self._watch.context.storage_state())

    async def start(self, url: str) -> None:
        """Open the first address. A failure that is not ours is told by the first `observe`."""
        act = self._timed(lambda page, ms: self._open(page, url, ms))
        self._start = await self._steps.open(f"opening {url[:500]}", act, self._navigation_seconds)
        self._steps.take_record()

    async def observe(self) -> str:
        """The current page as it is now."""
        return (await self._steps.observe()).text

    async def goto(self, url: str) -> str:
        """Open `url`: a whole http(s) address, or a path on the current site."""
        return await self._navigate(f"opening {url[:500]}", lambda page, ms: self._open(page, url, ms))

    async def back(self) -> str:
        """Go back in the history; a window opened later without one is closed in favour of another."""
        return await self._navigate("going back", lambda page, ms: navigation.go_back(self._watch, page, ms))

    async def forward(self) -> str:
        return await self._navigate("going forward", navigation.go_forward)

    async def reload(self) -> str:
        return await self._navigate("reloading", navigation.reload)

    async def tabs(self) -> str:
        """The current page as it is now, with the other tabs named."""
        return await self._navigate("looking at the tabs", navigation.stay)

    async def new_tab(self, url: str | None = None) -> str:
        """Open a tab, blank or at `url`, and make it the current one."""

        async def act(page: Page, ms: float) -> None:
            address = None if url is None else navigation.whole_address(url, page.url)
            tab = await navigation.open_tab(self._watch)
            if address is not None:
                await navigation.open_address(self._watch, tab, address, ms)

        return await self._navigate("opening a tab", act)

    async def switch_tab(self, tab: int) -> str:
        """Make the tab of that number, counted from 0, the current one."""
        return await self._navigate(
            f"switching to tab {tab}", lambda page, ms: navigation.switch_tab(self._watch, tab)
        )

    async def close_tab(self, tab: int | None = None) -> str:
        """Close the tab of that number, or the current one."""
        return await self._navigate("closing a tab", lambda page, ms: navigation.close_tab(self._watch, tab))

    async def click(self, ref: str) -> str:
        return await self._on_element(f"clicking {ref}", ref, actions.click)

    async def double_click(self, ref: str) -> str:
        return await self._on_element(f"double-clicking {ref}", ref, actions.double_click)

    async def hover(self, ref: str) -> str:
        return await self._on_element(f"hovering over {ref}", ref, actions.hover)

    async def fill(self, ref: str, text: str) -> str:
        """Replace what a text field holds."""
        return await self._on_element(f"filling {ref}", ref, lambda e, ms: actions.fill(e, ms, text))

    async def fill_and_submit(self, ref: str, text: str) -> str:
        """Replace what a text field holds and press Enter in it."""
        return await self._on_element(
            f"filling {ref}", ref, lambda e, ms: actions.fill_and_submit(e, ms, text)
        )

    async def type(self, ref: str, text: str) -> str:
        """Type `text` key by key where the element has its caret, without clearing it."""
        seconds = self._action_seconds + len(text) * actions.KEYSTROKE_SECONDS
        return await self._on_element(
            f"typing into {ref}", ref, lambda e, ms: actions.type_keys(e, ms, text), seconds
        )

    async def press(self, key: str, ref: str | None = None) -> str:
        """Press a key such as "Enter", "Escape" or "Control+a", in `ref` or where the focus is."""
        if ref is None:
            return await self._on_page(f"pressing {key}", lambda page: page.keyboard.press(key))
        return await self._on_element(f"pressing {key}", ref, lambda e, ms: actions.press(e, ms, key))

    async def select(self, ref: str, value: str | Sequence[str]) -> str:
        """Choose the options of a list whose labels or values are given, and no others."""
        values = [value] if isinstance(value, str) else list(value)
        return await self._on_element(f"selecting in {ref}", ref, lambda e, ms: actions.select(e, ms, values))

    async def check(self, ref: str, checked: bool = True) -> str:
        """Tick a checkbox, radio button or switch, or untick it."""
        return await self._on_element(f"checking {ref}", ref, lambda e, ms: actions.check(e, ms, checked))

    async def upload(self, ref: str, files: Sequence[UploadFile]) -> str:
        """Give files to a file field, or to the field that a button opens."""
        return await self._on_element(f"uploading to {ref}", ref, lambda e, ms: actions.upload(e, ms, files))

    async def drag(self, ref: str, to_ref: str) -> str:
        """Drag one element onto another."""

        async def act(page: Page, step: Recorder) -> None:
            source = await self._steps.aimed(page, step, ref)
            goal = await self._steps.target(page, to_ref)
            step.record.to_locator = goal.selector
            with step.timed("act"):
                await actions.drag(source.locator, self._action_seconds * 1000, goal.locator)

        return (await self._steps.take(f"dragging {ref} to {to_ref}", act, self._action_seconds)).text

    async def scroll(self, direction: Direction, ref: str | None = None) -> str:
        """Scroll by most of a screen, or to an end: the box around `ref`, or what lies mid-screen."""
        if ref is None:
            return await self._on_page("scrolling", lambda page: actions.scroll_page(page, direction))
        return await self._on_element(f"scrolling {ref}", ref, lambda e, ms: actions.scroll(e, ms, direction))

    async def wait_for(self, text: str | None = None, *, gone: bool = False, seconds: float = 5.0) -> str:
        """Wait until `text` is visible, or `gone`, at most `seconds`; without a text just so long.

        Never longer than MAX_WAIT_SECONDS.
        """
        seconds = min(seconds, MAX_WAIT_SECONDS)

        async def act(page: Page) -> None:
            if text is None:
                await asyncio.sleep(seconds)
            elif not await until_shown(page, text, not gone, seconds):
                change = "disappear" if gone else "appear"
                raise fault("action_timeout", f"{text!r} did not {change} within {seconds:g} s.")

        return await self._on_page("waiting", act, seconds + OBSERVE_SECONDS)

    async def extract(self, ref: str | None = None, form: Form = "text") -> str:
        """The text, the table's rows (cells apart by tabs) or the links of `ref`, or of the whole page."""
        async with self._steps.reading("reading the page") as (page, step):
            if ref is None:
                element = page.locator("body")
            else:
                element = (await self._steps.aimed(page, step, ref)).locator
            with step.timed("act"):
                text = await read(element, form, self._action_seconds * 1000)
        return cut(text, BUDGET, "extract an element by its ref.") or f"(no visible {form})"

    async def screenshot(self) -> str:
        """Take a picture of the viewport and store it; says its digest."""
        async with self._steps.reading("taking a screenshot") as (page, step):
            with step.timed("screenshot"):
                jpeg = await self._camera.jpeg(page)
        # Only now is it known that nothing forbidden stood there.
        taken = self._camera.keep(jpeg)
        step.record.screenshot = taken.digest
        return str(taken)

    async def finish(self, answer: str) -> str:
        """Record the page as it was when the agent gave its answer; gives the answer back."""
        async with self._steps.reading("finishing") as (page, step):
            with step.timed("screenshot"):
                taken = await self._camera.taken(page)
        if taken is not None:
            step.record.screenshot = self._camera.keep(taken).digest
        return answer

    async def _open(self, page: Page, url: str, ms: float) -> None:
        address = navigation.whole_address(url, page.url)
        await navigation.open_address(self._watch, page, address, ms)

    async def _on_element(
        self,
        what: str,
        ref: str,
        action: Callable[[Locator, float], Awaitable[None]],
        seconds: float | None = None,
    ) -> str:
        async def act(page: Page, step: Recorder) -> None:
            target = await self._steps.aimed(page, step, ref)
            with step.timed("act"):
                await action(target.locator, self._action_seconds * 1000)

        return (await self._steps.take(what, act, seconds or self._action_seconds)).text

    async def _on_page(
        self, what: str, action: Callable[[Page], Awaitable[None]], seconds: float | None = None
    ) -> str:
        async def act(page: Page, step: Recorder) -> None:
            with step.timed("act"):
                await action(page)

        return (await self._steps.take(what, act, seconds or self._action_seconds)).text

    async def _navigate(self, what: str, action: Callable[[Page, float], Awaitable[None]]) -> str:
        late = "navigation_timeout"
        seen = await self._steps.take(what, self._timed(action), self._navigation_seconds, too_late=late)
        return seen.text

    def _timed(self, action: Callable[[Page, float], Awaitable[None]]) -> Act:
        async def act(page: Page, step: Recorder) -> None:
            with step.timed("act"):
                await action(page, self._navigation_seconds * 1000)

        return act
