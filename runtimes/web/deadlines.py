"""Hard deadlines around everything asked of a browser, and its faults told in the platform's own terms."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runtimes.errors import InfrastructureError, ToolError
from runtimes.web.watch import Watch

GRACE_SECONDS = 1.0
"""What a hard deadline lies behind Playwright's own, whose message is the better one."""

_ANSWER_SECONDS = 5.0
_RETRY = "The episode is run again in a new browser."


@asynccontextmanager
async def guarded(watch: Watch, what: str, seconds: float) -> AsyncIterator[None]:
    """Do something with the browser under a hard deadline, its faults told in our own terms."""
    from playwright.async_api import Error
    from playwright.async_api import TimeoutError as PlaywrightTimeout

    try:
        async with asyncio.timeout(seconds) as deadline:
            yield
    except TimeoutError:
        if not deadline.expired():
            raise
        await _stop_loading(watch)
        raise ToolError(
            "timeout",
            f"{what} took longer than {seconds:g} s.",
            "Look at the page again, or open another.",
        ) from None
    except PlaywrightTimeout as error:
        await _raise_if_dead(watch, what, error)
        await _stop_loading(watch)
        raise ToolError("timeout", f"{what}: {_cause(error)}", "Look at the page again.") from error
    except Error as error:
        await _raise_if_dead(watch, what, error)
        raise _tool_error(what, error) from error


async def _raise_if_dead(watch: Watch, what: str, error: Exception) -> None:
    if watch.crashed:
        raise InfrastructureError(
            "browser_error", f"The page's process died while {what}.", _RETRY
        ) from error
    if await context_died(watch):
        raise InfrastructureError("browser_error", f"The browser died while {what}.", _RETRY) from error


async def context_died(watch: Watch) -> bool:
    """Ask the browser itself: a page may close for reasons of its own, and events come late."""
    from playwright.async_api import Error

    try:
        await asyncio.wait_for(watch.context.cookies("http://probe.invalid"), _ANSWER_SECONDS)
    except (Error, TimeoutError):
        return True
    return False


async def _stop_loading(watch: Watch) -> None:
    """Leave a page the agent can go on with: its loading stopped, or a blank one where it hangs."""
    from playwright.async_api import Error

    watch.forget_navigations()
    page = watch.page
    try:
        async with asyncio.timeout(GRACE_SECONDS):
            # The browser's own stop: one by script would wait for the document that does not come.
            session = await watch.context.new_cdp_session(page)
            await session.send("Page.stopLoading")
            await session.detach()
            await page.evaluate("1")
    except TimeoutError:
        watch.notices.append("The page stopped answering and was closed.")
        try:
            await asyncio.wait_for(page.close(), _ANSWER_SECONDS)
        except (Error, TimeoutError) as error:
            raise InfrastructureError("browser_error", "The browser does not answer.", _RETRY) from error
    except Error as error:
        await _raise_if_dead(watch, "stopping the page", error)


def _tool_error(what: str, error: Exception) -> ToolError:
    if "net::ERR_" in str(error):
        return ToolError(
            "network_error", f"{what} failed: {_cause(error)}", "Check the address, or try another."
        )
    return ToolError("browser_error", f"{what} failed: {_cause(error)}", "Look at the latest snapshot.")


def _cause(error: Exception) -> str:
    """The line of Playwright's message that says why: the last reason of its retries, or the first line."""
    lines = [line.strip(" -\t") for line in str(error).split("\n") if line.strip()]
    reasons = [line for line in lines if "intercepts pointer" in line or line.startswith("element is not")]
    first = re.sub(r"^\w+\.\w+: ", "", lines[0]) if lines else type(error).__name__
    return f"{reasons[-1] if reasons else first}."[:500]
