"""One browser context, opened and closed so that neither cancellations nor hanging browsers leave any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, cast

from runtimes.errors import InfrastructureError
from runtimes.web.browser.chromium import Chromium
from runtimes.web.browser.driver import CLOSE_SECONDS
from runtimes.web.egress.proxy import ContextProxy
from runtimes.web.futures import may_fail_unheard, to_the_end
from runtimes.web.page.page import VIEWPORT

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, StorageState

CHECK_SECONDS = 15.0
"""The longest a browser may take for a context or a blank page; one that takes longer hangs and is killed."""


@asynccontextmanager
async def open_context(
    chromium: Chromium, proxy: ContextProxy, storage_state: dict[str, Any] | None = None
) -> AsyncIterator[BrowserContext]:
    """A context with these cookies and this local storage, all of whose requests go to `proxy`.

    Raises InfrastructureError.
    """
    context = await _open(chromium, proxy, storage_state)
    try:
        yield context
    finally:
        await to_the_end(_close(chromium, context))


@asynccontextmanager
async def answering(chromium: Chromium, what: str) -> AsyncIterator[None]:
    """A browser that hangs is killed after CHECK_SECONDS, so that the next page gets a new one."""
    with _browser_faults(what):
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                yield
        except TimeoutError:
            await chromium.kill()
            raise


async def _open(
    chromium: Chromium, proxy: ContextProxy, storage_state: dict[str, Any] | None
) -> BrowserContext:
    from playwright.async_api import Error

    opening = asyncio.ensure_future(
        chromium.browser.new_context(
            viewport={"width": VIEWPORT.width, "height": VIEWPORT.height},
            locale="en-US",
            accept_downloads=False,
            proxy=proxy.settings,
            service_workers="block",  # their requests pass by the guard
            storage_state=cast("StorageState | None", storage_state),
        )
    )
    # Where the browser is killed nobody waits for the answer any more, and asyncio would complain of it.
    may_fail_unheard(opening)
    try:
        async with answering(chromium, "opening a context"):
            return await asyncio.shield(opening)
    except asyncio.CancelledError:
        # A context that opens after its episode has gone would belong to nobody.
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                context = await asyncio.shield(opening)
        except TimeoutError:
            await chromium.kill()
        except Error:
            pass  # it died; the next page finds out
        else:
            await to_the_end(_close(chromium, context))
        raise


async def _close(chromium: Chromium, context: BrowserContext) -> None:
    """A browser that cannot close a context is replaced."""
    from playwright.async_api import Error

    if not chromium.alive:
        return  # the next page finds out
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await context.close()
    except Error:
        return  # it died meanwhile
    except TimeoutError:
        await chromium.kill()


@contextmanager
def _browser_faults(what: str) -> Iterator[None]:
    """Faults of the browser before an agent has done anything are the platform's."""
    from playwright.async_api import Error

    try:
        yield
    except (Error, TimeoutError) as error:
        cause = str(error).strip().split("\n", 1)[0] or "it did not answer"
        raise InfrastructureError("browser_error", f"The browser failed {what}: {cause}") from error
