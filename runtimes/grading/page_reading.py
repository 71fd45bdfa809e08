"""Reads values off pages for verifiers: by locator, or by a script of the verifier's own.

A locator is looked up in Playwright's own world, where a page's scripts cannot reach: they decide what the
document holds, not what is read there. A verifier's script runs among the page's own, as it must to see
their variables, so a page that redefines what it uses can answer in its stead; ask it of pages you trust.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from runtimes.errors import InfrastructureError, VerifierFault
from runtimes.web.egress.proxy import is_of_proxy

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Locator, Page, Response
    from playwright.async_api import Error as PlaywrightError

    _Reading = Callable[[Page], Awaitable[Any]]

READING_SECONDS = 10.0
"""The longest one reading may take; a script that takes longer does not end."""

Read = Literal["text", "value", "count", "visible"]

_REFUSED = ("ERR_BLOCKED_BY_CLIENT", "http_request_denied")
_UNRESOLVED = ("ERR_TUNNEL_CONNECTION_FAILED", "dns_error")
"""How the browser, or the proxy in its status, says that an address may not be opened, or was not found."""

_NO_SUCH_NAME = {socket.EAI_NONAME, socket.EAI_NODATA}
"""What a resolver says where it knows; one that gives no answer says otherwise."""


class Unreadable(Exception):
    """What is to be read is not to be had of this page, and the agent may have seen to that."""


async def open_page(page: Page, url: str) -> None:
    """Open `url` for reading; what a site says of an address it does not have is a page like any other.

    Raises Unreadable where only the agent's session keeps it from opening. VerifierFault where no try could
    go better: the address is refused, or there is no such name; InfrastructureError when it is not reached or
    its server fails.
    """
    cause, kind = await _opening(page, url)
    if not cause:
        return
    if await page.context.cookies():
        if not (await _opening(page, url))[0]:
            return
        await page.context.clear_cookies()
        if not (await _opening(page, url))[0]:
            raise Unreadable(
                f"the page {url} opens without the episode's cookies, and not with them: {cause}"
            )
    message = f"The grading page {url} did not open: {cause}."
    if any(sign in kind for sign in _REFUSED):
        raise VerifierFault(
            message, "Name its host in the task's allowed_domains, or a private one in WEB_ALLOW_PRIVATE."
        )
    if any(sign in kind for sign in _UNRESOLVED) and await _is_no_name(urlsplit(url).hostname or ""):
        raise VerifierFault(message, "No such name is known: mend the address in the verifier.")
    raise InfrastructureError("network_error", message)


async def _opening(page: Page, url: str) -> tuple[str, str]:
    """Why the address did not open, in words and by sign; empty where it did."""
    from playwright.async_api import Error

    try:
        response = await page.goto(url)
    except Error as error:
        cause = _first_line(error).removesuffix(f" at {url}")
        return cause, cause
    return _fault(response) if response is not None else ("", "")


def _fault(response: Response) -> tuple[str, str]:
    """Why an answer is none of the site's own, in words, and the proxy's status; empty where it is."""
    if is_of_proxy(response.headers):
        return response.status_text, response.headers["proxy-status"]
    return (f"its server answered {response.status}", "") if response.status >= 500 else ("", "")


async def _is_no_name(host: str) -> bool:
    """Whether the machine's resolver, which the page's proxy asks too, is sure that there is no such host.

    Asked anew, because of https a page sees only that its proxy gave no tunnel.
    """
    try:
        await asyncio.get_running_loop().getaddrinfo(host, None)
    except socket.gaierror as error:
        return error.errno in _NO_SUCH_NAME
    return False


def _first_line(error: PlaywrightError) -> str:
    """What happened, without the name of Playwright's method and its log of how it came to it."""
    line = error.message.strip().split("\n", 1)[0].rstrip(" .:")
    return re.sub(r"^\w+\.\w+: (?:Error: )?", "", line)


async def by_script(page: Page, script: str) -> Any:
    """What a JavaScript expression or function gives, as JSON has it.

    Raises Unreadable when it fails, does not end, or the page closes itself or crashes, VerifierFault for one
    that is no JavaScript, InfrastructureError when the browser dies.
    """
    return await _answer(page, lambda page: page.evaluate(script), "script", _parsing(script))


async def by_locator(page: Page, selector: str, read: Read, attribute: str | None = None) -> Any:
    """What is to be read of the one element that `selector` finds, as it is now.

    The text as a person sees it, white space collapsed; the value of a form field; an attribute; None where
    there is no such element. `count` is how many there are, `visible` whether one is there and can be seen.
    Raises Unreadable where there are several, or the value of what has none is asked for, VerifierFault for a
    selector that is none, InfrastructureError when the browser dies.
    """
    return await _answer(
        page,
        lambda page: _read(page.locator(selector), read, attribute),
        f"locator {selector!r}",
        lambda blank: blank.locator(selector).count(),
    )


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


async def _answer(page: Page, reading: _Reading, what: str, trial: _Reading) -> Any:
    """What `reading` gives; `trial`, on a blank page, fails only where it could succeed on no page at all."""
    from playwright.async_api import Error

    try:
        return await asyncio.wait_for(reading(page), READING_SECONDS)
    except TimeoutError:
        fault = f"the verifier's {what} on {page.url} did not end"
    except Error as error:
        fault = f"the verifier's {what} failed on {page.url}: {_first_line(error)}"
    if await _is_gone(page.context):
        raise InfrastructureError("browser_error", "The browser died while grading.")
    if mistake := await _mistake(page, trial):
        raise VerifierFault(f"The verifier's {what} cannot be read: {mistake}.")
    raise Unreadable(fault)


async def _mistake(page: Page, trial: _Reading) -> str:
    """What is wrong with a reading wherever it is tried: on a page that no agent had, in the same browser."""
    from playwright.async_api import Error

    browser = page.context.browser
    assert browser is not None
    try:
        async with asyncio.timeout(READING_SECONDS), await browser.new_context() as context:
            blank = await context.new_page()
            try:
                await trial(blank)
            except Error as error:
                return _first_line(error)
    except (Error, TimeoutError) as error:
        raise InfrastructureError("browser_error", "The browser did not answer while grading.") from error
    return ""


def _parsing(script: str) -> _Reading:
    """Reads a script without running it, as Playwright would: an expression, else statements."""
    parse = "text => { try { new Function(`(${text}\n)`) } catch { new Function(text) } }"
    return lambda blank: blank.evaluate(parse, script)
