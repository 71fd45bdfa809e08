"""The page of one episode as an agent uses it: actions by element ref, each giving a new observation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urljoin, urlsplit

from runtimes.errors import ToolError
from runtimes.web import scripts
from runtimes.web.deadlines import GRACE_SECONDS, context_died, guarded
from runtimes.web.snapshot import BUDGET, Viewport, cut, in_viewport
from runtimes.web.watch import Watch

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

VIEWPORT = Viewport(1280, 720)
OBSERVE_SECONDS = 10.0
LOAD_SECONDS = 3.0
"""The longest wait for what a parsed document still loads, and for an action's own calls."""

_SETTLE_ROUNDS = 5
_REF = re.compile(r"(?:f\d+)?e\d+")


class WebPage:
    """One page in a browser context of its own. Not for concurrent use: one action at a time.

    Every action returns the new observation. Raises ToolError for what the agent or the site did
    (`browser_error`: stale ref, element that cannot be acted on; `timeout`; `network_error`; `system_error`:
    an address the task may not open) and InfrastructureError when the browser or the page's process died.
    """

    def __init__(self, watch: Watch, *, navigation_seconds: float, action_seconds: float) -> None:
        self._watch = watch
        self._navigation_seconds = navigation_seconds
        self._action_seconds = action_seconds
        self._start_fault: ToolError | None = None
        self._last_seen = ""

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
        """Addresses refused so far, oldest first."""
        return list(self._watch.blocked)

    async def storage_state(self) -> dict[str, Any]:
        """The context's cookies and local storage, as `BrowserPool.grading_page` takes them."""
        async with guarded(self._watch, "reading the cookies", OBSERVE_SECONDS):
            return dict(await self._watch.context.storage_state())

    async def start(self, url: str) -> None:
        """Open the first address. A failure that is not ours is told by the first `observe`."""
        try:
            await self._open(url)
            await self._settle()
        except ToolError as error:
            self._start_fault = error

    async def observe(self) -> str:
        """Address, title, what happened meanwhile, and the accessibility tree with element refs.

        At most about BUDGET characters; a longer page is shown as far as the viewport reaches.
        """
        fault, self._start_fault = self._start_fault, None
        if fault is not None:
            raise fault
        return await self._observe()

    async def goto(self, url: str) -> str:
        """Open `url`: a whole http(s) address, or a path on the current site."""
        self._start_fault = None
        await self._open(urljoin(self.url, url) if url.startswith(("/", "?")) else url)
        await self._settle()
        return await self._observe()

    async def click(self, ref: str) -> str:
        return await self._act(f"clicking {ref}", ref, lambda element, ms: element.click(timeout=ms))

    async def fill(self, ref: str, text: str) -> str:
        """Replace what a text field holds."""
        return await self._act(f"filling {ref}", ref, lambda element, ms: element.fill(text, timeout=ms))

    async def fill_and_submit(self, ref: str, text: str) -> str:
        """Replace what a text field holds and press Enter in it."""

        async def fill_and_enter(element: Locator, ms: float) -> None:
            await element.fill(text, timeout=ms)
            await element.press("Enter", timeout=ms)

        return await self._act(f"filling {ref}", ref, fill_and_enter)

    async def press(self, key: str, ref: str | None = None) -> str:
        """Press a key such as "Enter", "Escape" or "Control+a", in `ref` or where the focus is."""
        if ref is None:
            return await self._act_on_page(f"pressing {key}", lambda page: page.keyboard.press(key))
        return await self._act(f"pressing {key}", ref, lambda element, ms: element.press(key, timeout=ms))

    async def select(self, ref: str, value: str) -> str:
        """Choose the option of a list whose label or value is `value`."""

        async def choose(element: Locator, ms: float) -> None:
            options = await element.evaluate(scripts.OPTIONS)
            if options is None:
                raise ToolError("browser_error", f"{ref} is not a list to select from.", "Click it instead.")
            if not any(value in (option["label"], option["value"]) for option in options):
                labels = ", ".join(repr(option["label"]) for option in options[:50])
                raise ToolError("browser_error", f"{ref} has no option {value!r}.", f"Options: {labels}.")
            await element.select_option(value, timeout=ms)

        return await self._act(f"selecting {value!r} in {ref}", ref, choose)

    async def scroll(self, direction: Literal["up", "down", "top", "bottom"]) -> str:
        """Scroll what lies in the middle of the viewport by most of its height, or to an end of it."""
        return await self._act_on_page("scrolling", lambda page: page.evaluate(scripts.SCROLL, direction))

    async def back(self) -> str:
        """Go back in the history; a new window without one is closed in favour of the window before it."""
        async with guarded(self._watch, "going back", self._navigation_seconds):
            page = await self._watch.live_page()
            self._watch.begin()
            before = page.url
            response = await page.go_back(wait_until="commit", timeout=self._navigation_seconds * 1000)
            stayed = page.url == "about:blank" or (response is None and page.url == before)
            if stayed and len(self._watch.context.pages) > 1:
                await page.close()
            elif stayed:
                if page.url != before:
                    await page.go_forward(wait_until="commit", timeout=self._navigation_seconds * 1000)
                raise ToolError("browser_error", "There is no page to go back to.")
        await self._settle()
        return await self._observe()

    async def extract(self, ref: str | None = None) -> str:
        """The visible text of `ref`, or of the whole page; tables as lines of tab-separated cells."""
        async with guarded(self._watch, "reading the text", OBSERVE_SECONDS):
            page = await self._watch.live_page()
            await self._refuse_forbidden(page)
            element = page.locator("body") if ref is None else await self._element(page, ref)
            text = str(await element.evaluate(scripts.TEXT, timeout=self._action_seconds * 1000))
            await self._refuse_forbidden(page)
        return cut(text, BUDGET, "extract an element by its ref.") or "(no visible text)"

    async def _act(self, what: str, ref: str, action: Callable[[Locator, float], Awaitable[object]]) -> str:
        async def on_element(page: Page) -> None:
            await action(await self._element(page, ref), self._action_seconds * 1000)

        return await self._act_on_page(what, on_element)

    async def _act_on_page(self, what: str, action: Callable[[Page], Awaitable[object]]) -> str:
        from playwright.async_api import TimeoutError as PlaywrightTimeout

        async with guarded(self._watch, what, self._action_seconds + GRACE_SECONDS):
            page = await self._watch.live_page()
            self._watch.begin()
            try:
                await action(page)
            except PlaywrightTimeout:
                # The action itself was done when it is only the page it led to that does not come.
                if not self._watch.navigating:
                    raise
        await self._settle()
        if url := self._watch.refused_document:
            self._watch.notices.append(f"{url} was not opened: {self._watch.guard.refusal(url)}.")
        seen = self._last_seen
        observation = await self._observe()
        return observation if self._last_seen != seen else f"(the page did not change)\n{observation}"

    async def _element(self, page: Page, ref: str) -> Locator:
        name = ref.strip().removeprefix("[").removesuffix("]").removeprefix("ref=")
        if not _REF.fullmatch(name):
            raise ToolError(
                "browser_error", f"{ref!r} is not a ref.", "Refs look like e12; see the snapshot."
            )
        element = page.locator(f"aria-ref={name}")
        # Without this a stale ref would wait out the whole time limit.
        if not await element.count():
            raise ToolError(
                "browser_error", f"There is no element {name} any more.", "Use a ref of the latest snapshot."
            )
        return element

    async def _open(self, url: str) -> None:
        from playwright.async_api import Error
        from playwright.async_api import TimeoutError as PlaywrightTimeout

        if urlsplit(url).scheme not in {"http", "https"}:
            raise ToolError(
                "system_error" if ":" in url else "browser_error",
                f"{url!r} cannot be opened.",
                "Give a whole address that begins with http:// or https://.",
            )
        async with guarded(self._watch, f"opening {url}", self._navigation_seconds + GRACE_SECONDS):
            page = await self._watch.live_page()
            self._watch.begin()
            try:
                await page.goto(url, wait_until="domcontentloaded", timeout=self._navigation_seconds * 1000)
            except Error as error:
                if self._watch.refused_document and not page.is_closed():
                    raise self._refused(self._watch.refused_document) from None
                if "net::ERR_" in str(error):
                    # Chromium's error page comes a little later and would break off the next navigation.
                    with suppress(PlaywrightTimeout):
                        await page.wait_for_url("chrome-error://**", wait_until="commit", timeout=1000)
                raise

    async def _settle(self) -> None:
        """Wait until the page is loaded and quiet, for as long as that may take and no longer."""
        from playwright.async_api import Error
        from playwright.async_api import TimeoutError as PlaywrightTimeout

        watch = self._watch
        async with guarded(self._watch, "waiting for the page", self._navigation_seconds + LOAD_SECONDS):
            for _ in range(_SETTLE_ROUNDS):
                await watch.until_navigated()
                page = await watch.live_page()
                if watch.new_document:
                    watch.new_document = False
                    await page.wait_for_load_state(
                        "domcontentloaded", timeout=self._navigation_seconds * 1000
                    )
                    with suppress(PlaywrightTimeout):
                        await page.wait_for_load_state("load", timeout=LOAD_SECONDS * 1000)
                try:
                    await page.evaluate(scripts.UNTIL_QUIET)
                except Error:
                    if watch.crashed or await context_died(watch):
                        raise
                    continue  # another document came in between
                with suppress(TimeoutError):
                    await asyncio.wait_for(watch.until_calls_answered(), LOAD_SECONDS)
                if not watch.navigating and not watch.new_document and watch.page is page:
                    break
        if watch.navigation_fault:
            raise ToolError("network_error", watch.navigation_fault)

    async def _observe(self) -> str:
        async with guarded(self._watch, "looking at the page", OBSERVE_SECONDS):
            page = await self._watch.live_page()
            await self._refuse_forbidden(page)
            title = await page.title()
            snapshot = await page.aria_snapshot(mode="ai", timeout=OBSERVE_SECONDS * 1000)
            if len(snapshot) > BUDGET:
                snapshot = await page.aria_snapshot(mode="ai", boxes=True, timeout=OBSERVE_SECONDS * 1000)
                snapshot = in_viewport(snapshot, VIEWPORT)
            await self._refuse_forbidden(page)  # it may have gone on while it was read
        if self._watch.page is not page:  # a window opened or closed while it was looked at
            await self._settle()
            return await self._observe()
        snapshot = cut(snapshot, BUDGET, "scroll, or extract an element by its ref.")
        self._last_seen = f"URL: {page.url}\nTitle: {title}\n\n{snapshot}"
        notices = "".join(f"{notice}\n" for notice in self._watch.take_notices())
        return notices + self._last_seen

    async def _refuse_forbidden(self, page: Page) -> None:
        """Show nothing of an address that may not be opened, by whatever way the page came there."""
        for frame in page.frames:
            if not self._watch.guard.may_show(frame.url):
                url = frame.url
                await page.goto("about:blank")
                raise self._refused(url)

    def _refused(self, url: str) -> ToolError:
        reason = self._watch.guard.refusal(url)
        return ToolError("system_error", f"{url} may not be opened: {reason}.", "Go on with another address.")
