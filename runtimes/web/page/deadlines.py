"""Hard deadlines around everything asked of a browser, and who is at fault when it does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runtimes.errors import InfrastructureError
from runtimes.web.page.faults import fault, fault_of
from runtimes.web.page.navigation import too_large
from runtimes.web.page.watch import Watch

GRACE_SECONDS = 1.0
"""What a hard deadline lies behind Playwright's own, whose message is the better one."""

_ANSWER_SECONDS = 5.0


@asynccontextmanager
async def guarded(
    watch: Watch, what: str, seconds: float, *, too_late: str = "action_timeout"
) -> AsyncIterator[None]:
    """Do something with the browser under a hard deadline, its faults told in our own terms.

    Raises ToolError, of class `too_late` where only time ran out, and InfrastructureError where the browser
    or the page's process died.
    """
    from playwright.async_api import Error
    from playwright.async_api import TimeoutError as PlaywrightTimeout

    try:
        async with asyncio.timeout(seconds) as deadline:
            yield
    except TimeoutError:
        if not deadline.expired():
            raise
        await _free_page(watch, what)
        if watch.large_document:
            raise too_large(watch) from None
        raise fault(too_late, f"{what} took longer than {seconds:g} s.") from None
    except PlaywrightTimeout as error:
        await _raise_if_dead(watch, what, error)
        await _free_page(watch, what)
        raise fault_of(what, error, otherwise=too_late) from error
    except Error as error:
        await _raise_if_dead(watch, what, error)
        if watch.page_fault:
            raise fault("hanging", f"{what} failed: {watch.page_fault}") from error
        raise fault_of(what, error) from error


async def _raise_if_dead(watch: Watch, what: str, error: Exception) -> None:
    if watch.crashed:
        raise InfrastructureError("browser_error", f"The page's process died while {what}.") from error
    if await context_died(watch):
        raise InfrastructureError("browser_error", f"The browser died while {what}.") from error


async def context_died(watch: Watch) -> bool:
    """Ask the browser itself: a page may close for reasons of its own, and events come late."""
    from playwright.async_api import Error

    try:
        await asyncio.wait_for(watch.context.cookies("http://probe.invalid"), _ANSWER_SECONDS)
    except (Error, TimeoutError):
        return True
    return False


async def _free_page(watch: Watch, what: str) -> None:
    """Leave a page the agent can go on with: its loading stopped, or another one where it hangs.

    Raises ToolError of class hanging where the page had to be closed.
    """
    from playwright.async_api import Error

    page = watch.page
    try:
        async with asyncio.timeout(GRACE_SECONDS):
            if watch.navigating:
                await watch.stop_loading(page)
            await page.evaluate("1")
    except TimeoutError:
        try:
            await asyncio.wait_for(page.close(), _ANSWER_SECONDS)
        except (Error, TimeoutError) as error:
            raise InfrastructureError("browser_error", "The browser does not answer.") from error
        if watch.large_document:
            raise fault(
                "too_large", f"{watch.large_document}; its page stopped answering, and was closed."
            ) from None
        raise fault("hanging", f"The page stopped answering while {what}, and was closed.") from None
    except Error as error:
        await _raise_if_dead(watch, "stopping the page", error)
