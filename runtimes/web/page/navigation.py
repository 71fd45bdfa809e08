"""Opening addresses and moving among them: in one tab's history, and from tab to tab."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from runtimes.errors import ToolError
from runtimes.web.page.faults import fault
from runtimes.web.page.watch import MAX_DOCUMENTS, MAX_PAGES, Watch

if TYPE_CHECKING:
    from playwright.async_api import Page, Response

_ASKED, _BETWEEN_SECONDS = 20, 0.05


def whole_address(url: str, base: str) -> str:
    """`url`, or what it means as a path on the site of `base`.

    Raises ToolError for what is no http or https address.
    """
    url = url.strip()
    address = urljoin(base, url) if url.startswith(("/", "?")) else url
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise fault(
            "refused_address",
            f"{address[:500]!r} cannot be opened.",
            "Give a whole address that begins with http:// or https://.",
        )
    return address


async def open_address(watch: Watch, page: Page, url: str, ms: float) -> None:
    """Open a whole address, up to its parsed document. Raises Playwright's errors, and ToolError for a
    refused address, a document too large and what is no page at all."""
    from playwright.async_api import Error
    from playwright.async_api import TimeoutError as PlaywrightTimeout

    try:
        await page.goto(url, wait_until="domcontentloaded", timeout=ms)
    except Error as error:
        if watch.refused_document and not page.is_closed():
            raise refused(watch, watch.refused_document) from None
        if watch.large_document:
            raise too_large(watch) from None
        if watch.documents >= MAX_DOCUMENTS:
            raise await close_loop(watch, page) from None
        if "net::ERR_" in str(error):
            # Chromium's error page comes a little later and would break off the next navigation.
            with suppress(PlaywrightTimeout):
                await page.wait_for_url("chrome-error://**", wait_until="commit", timeout=1000)
        if unreached := proxys_fault(watch, watch.failed_document or url):
            raise unreached from error
        raise


def proxys_fault(watch: Watch, url: str) -> ToolError | None:
    """What kept the proxy from reaching `url`: the browser itself sees only that something did."""
    found = watch.proxy.fault(url) if watch.proxy is not None and url else None
    if found is None:
        return None
    error_class, reason = found
    return fault(error_class, f"{url} could not be opened: {reason}.")


async def close_loop(watch: Watch, page: Page) -> ToolError:
    """Close a page that leads on to others without end: it would break off every way out of it."""
    url = page.url
    await page.close()
    return fault("redirect_loop", f"The page led on to others without end, last to {url}, and was closed.")


def too_large(watch: Watch) -> ToolError:
    return fault("too_large", f"{watch.large_document}; it was not read.")


def refused(watch: Watch, url: str) -> ToolError:
    return fault("refused_address", f"{url} may not be opened: {watch.guard.refusal(url)}.")


async def go_back(watch: Watch, page: Page, ms: float) -> None:
    """Back in the history; a window opened later without one is closed in favour of another."""
    before = page.url
    response = await _travel(lambda: page.go_back(wait_until="commit", timeout=ms))
    stayed = page.url == "about:blank" or (response is None and page.url == before)
    if stayed and page is not watch.context.pages[0]:
        await page.close()
    elif stayed:
        if page.url != before:
            await _travel(lambda: page.go_forward(wait_until="commit", timeout=ms))
        raise fault("no_history", "There is no page to go back to.")


async def stay(page: Page, ms: float) -> None:
    """Go nowhere, to look where one is."""


async def go_forward(page: Page, ms: float) -> None:
    before = page.url
    response = await _travel(lambda: page.go_forward(wait_until="commit", timeout=ms))
    if response is None and page.url == before:
        raise fault("no_history", "There is no page to go forward to.")


async def _travel(through_history: Callable[[], Awaitable[Response | None]]) -> Response | None:
    """Asks again where the browser is just between two documents, and has no history to tell of."""
    from playwright.async_api import Error

    for _ in range(_ASKED):
        try:
            return await through_history()
        except Error as error:
            if "Not attached to an active page" not in error.message:
                raise
            await asyncio.sleep(_BETWEEN_SECONDS)
    return await through_history()


async def reload(page: Page, ms: float) -> None:
    await page.reload(wait_until="domcontentloaded", timeout=ms)


async def open_tab(watch: Watch) -> Page:
    if len(watch.context.pages) >= MAX_PAGES:
        raise fault("other", f"There are {MAX_PAGES} tabs already.", "Close one first.")
    await watch.open_tab()
    return watch.page


async def switch_tab(watch: Watch, number: int) -> None:
    """Make a tab the current one; tabs count from 0, in the order in which they were opened."""
    watch.page = _tab(watch, number)
    await watch.page.bring_to_front()


async def close_tab(watch: Watch, number: int | None) -> None:
    """Close a tab, or the current one; after the last one there is a blank one."""
    await (watch.page if number is None else _tab(watch, number)).close()


def _tab(watch: Watch, number: int) -> Page:
    pages = watch.context.pages
    if not 0 <= number < len(pages):
        raise fault("closed_tab", f"There is no tab {number}.", f"Tabs are 0 to {len(pages) - 1}.")
    return pages[number]
