"""Reads values off pages for verifiers: by locator, or by a script of the verifier's own.

A locator is looked up in Playwright's own world, where a page's scripts cannot reach: they decide what the
document holds, not what is read there. A verifier's script runs among the page's own, as it must to see
their variables, so a page that redefines what it uses can answer in its stead; ask it of pages you trust.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Literal

from runtimes.errors import InfrastructureError, VerifierFault
from runtimes.web.browser.contexts import RETRY
from runtimes.web.egress.proxy import is_of_proxy

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Locator, Page, Response

READING_SECONDS = 10.0
"""The longest one reading may take; a script that takes longer does not end."""

Read = Literal["text", "value", "count", "visible"]


async def open_page(page: Page, url: str) -> None:
    """Open `url` for reading. Raises InfrastructureError when it is not reached or its server fails."""
    from playwright.async_api import Error

    try:
        response = await page.goto(url)
        cause = _server_fault(response) if response is not None else ""
    except Error as error:
        cause = error.message
    if cause:
        raise InfrastructureError("network_error", f"The grading page {url} did not open: {cause}", RETRY)


def _server_fault(response: Response) -> str:
    """Why an answer is none of the site's own, in words; empty where it is."""
    if is_of_proxy(response.headers):
        return response.status_text
    return f"its server answered {response.status}" if response.status >= 500 else ""


async def by_script(page: Page, script: str) -> Any:
    """What a JavaScript expression or function gives, as JSON has it.

    Raises VerifierFault when it fails, does not end, or the page closes itself, InfrastructureError when the
    browser dies.
    """
    return await _answer(page, page.evaluate(script), "script")


async def by_locator(page: Page, selector: str, read: Read, attribute: str | None = None) -> Any:
    """What is to be read of the one element that `selector` finds, as it is now.

    The text as a person sees it, white space collapsed; the value of a form field; an attribute; None where
    there is no such element. `count` is how many there are, `visible` whether one is there and can be seen.
    Raises VerifierFault for a selector that is none, that finds several, or a value of what has none.
    """
    return await _answer(page, _read(page.locator(selector), read, attribute), f"locator {selector!r}")


async def _read(found: Locator, read: Read, attribute: str | None) -> Any:
    count = await found.count()
    if read == "count":
        return count
    if count == 0:
        return False if read == "visible" else None
    if attribute is not None:
        return await found.get_attribute(attribute)
    if read == "visible":
        return await found.is_visible()
    if read == "value":
        return await found.input_value()
    return " ".join((await found.inner_text()).split())


async def _is_gone(context: BrowserContext) -> bool:
    """Whether the browser died, and not the page alone, which may close itself."""
    from playwright.async_api import Error

    try:
        await asyncio.wait_for(context.cookies("http://probe.invalid"), READING_SECONDS)
    except (Error, TimeoutError):
        return True
    return False


async def _answer(page: Page, reading: Awaitable[Any], what: str) -> Any:
    from playwright.async_api import Error

    try:
        return await asyncio.wait_for(reading, READING_SECONDS)
    except TimeoutError:
        raise VerifierFault(f"The verifier's {what} on {page.url} did not end.") from None
    except Error as error:
        if "crashed" in error.message or await _is_gone(page.context):
            raise InfrastructureError("browser_error", "The browser died while grading.", RETRY) from error
        raise VerifierFault(f"The verifier's {what} failed on {page.url}: {error.message}") from error
