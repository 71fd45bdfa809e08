"""When a page has come to rest after an action: loaded, its calls answered, its document quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from runtimes.web.page.deadlines import context_died, guarded
from runtimes.web.page.faults import fault_of
from runtimes.web.page.navigation import close_loop, proxys_fault, too_large
from runtimes.web.page.watch import MAX_DOCUMENT_BYTES, MAX_DOCUMENTS, Watch

if TYPE_CHECKING:
    from playwright.async_api import Page

LOAD_SECONDS = 3.0
"""The longest wait for what a parsed document still loads, and for an action's own calls."""

_ROUNDS = 5
_FRAMES = 8
_QUIET_SECONDS = 1.5
"""Longer than the script below takes, whose timers a page may have replaced by its own."""

_UNTIL_QUIET = """() => new Promise(done => {
  const FIELDS = 500;
  const state = () => {
    const fields = [...document.querySelectorAll('input, textarea, select')].slice(0, FIELDS);
    const held = fields.map(field => field.value + field.checked);
    return [scrollX, scrollY, document.activeElement?.tagName, ...held].join();
  };
  const before = state();
  let moved = false;
  const end = () => {
    observer.disconnect(); clearTimeout(quiet); clearTimeout(limit); done(moved || state() !== before);
  };
  const KINDS = {subtree: true, childList: true, attributes: true, characterData: true};
  const observe = root => {
    observer.observe(root, KINDS);
    for (const {shadowRoot} of root.querySelectorAll('*')) if (shadowRoot) observe(shadowRoot);
  };
  const observer = new MutationObserver(() => {
    moved = true; clearTimeout(quiet); quiet = setTimeout(end, 20);
  });
  let quiet = setTimeout(end, 20);
  const limit = setTimeout(end, 1000);
  observe(document);
})"""
"""Resolves once the document has not changed for 20 ms, at the latest after 1 s: whether it changed.

An observer is told nothing of what happens in shadow roots, so each open one is observed by itself; nor of
scrolling, focus and what fields hold, which are compared.
"""

_DOCUMENT_BYTES = "() => performance.getEntriesByType('navigation')[0]?.decodedBodySize ?? 0"


async def settle(
    watch: Watch, navigation_seconds: float, *, resting: Callable[[Page], None], moved: Callable[[], None]
) -> None:
    """Wait until the current page has come to rest, for as long as that may take and no longer.

    `resting` is called with the page as soon as it may be at rest, so that it can be looked at beside the
    wait, and `moved` when it was not. Raises ToolError where the document the action led to did not
    come, is too large, or leads on to another without end.
    """
    from playwright.async_api import Error

    async with guarded(
        watch,
        "waiting for the page",
        navigation_seconds + LOAD_SECONDS,
        too_late="navigation_timeout",
    ):
        for _ in range(_ROUNDS):
            await watch.until_navigated()
            page = await watch.live_page()
            try:
                if watch.new_document:
                    await _load(watch, page, navigation_seconds)
                stirred = await _until_quiet(page, partial(resting, page))
                if watch.calling:
                    stirred = True
                    with suppress(TimeoutError):
                        await asyncio.wait_for(watch.until_calls_answered(), LOAD_SECONDS)
                    await _until_quiet(page)
            except Error:
                if watch.crashed or await context_died(watch):
                    raise
                moved()
                continue  # another document came in between
            if stirred:
                moved()
            if not watch.navigating and not watch.new_document and watch.page is page:
                break
            moved()
        else:
            if watch.documents >= MAX_DOCUMENTS:
                raise await close_loop(watch, watch.page)
        if watch.endless:
            raise await close_loop(watch, watch.page)
    if watch.large_document:
        raise too_large(watch)
    if unreached := proxys_fault(watch, watch.failed_document):
        if not watch.guard.may_show(watch.page.url):
            # The proxy's own words stand there, at an address of which nothing may be shown.
            await watch.page.goto("about:blank")
        raise unreached
    if watch.navigation_fault:
        raise fault_of("opening the page", ConnectionError(watch.navigation_fault))


async def _load(watch: Watch, page: Page, navigation_seconds: float) -> None:
    from playwright.async_api import TimeoutError as PlaywrightTimeout

    watch.new_document = False
    await page.wait_for_load_state("domcontentloaded", timeout=navigation_seconds * 1000)
    with suppress(PlaywrightTimeout):
        await page.wait_for_load_state("load", timeout=LOAD_SECONDS * 1000)
    # A document without a content-length shows its size only once it is there.
    size = await page.evaluate(_DOCUMENT_BYTES)
    # What a page tells of itself may be no number.
    if isinstance(size, int | float) and size > MAX_DOCUMENT_BYTES:
        watch.large_document = f"{page.url} is {size / 1e6:.0f} MB large"
        await page.goto("about:blank")
        watch.new_document = False


async def _until_quiet(page: Page, begun: Callable[[], None] = lambda: None) -> bool:
    """Whether the document or a frame of it moved before it came to rest.

    Whatever the browser is asked for in `begun` it does after it began to watch, so that no change between
    goes unseen.
    """
    from playwright.async_api import Error

    frames = [frame for frame in page.frames[1:_FRAMES] if not frame.is_detached()]
    watching = [asyncio.ensure_future(page.evaluate(_UNTIL_QUIET))]
    watching += [asyncio.ensure_future(frame.evaluate(_UNTIL_QUIET)) for frame in frames]
    begun()
    try:
        async with asyncio.timeout(_QUIET_SECONDS):
            main, *others = await asyncio.gather(*watching, return_exceptions=True)
    except TimeoutError:
        return True
    if isinstance(main, BaseException):
        raise main
    for stirred in others:
        if isinstance(stirred, BaseException) and not isinstance(stirred, Error):
            raise stirred
    return bool(main) or any(stirred is True for stirred in others)
