"""What goes on in one browser context between two actions: requests, navigations, dialogs, popups, crashes.

It refuses addresses, answers dialogs and keeps the current page; acting and observing are `page.py`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from runtimes.web.egress.guard import Guard
from runtimes.web.egress.proxy import is_of_proxy
from runtimes.web.page.events import MAX_EVENTS, Events, Notices

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Dialog, Download, Frame, Page, Request, Response, Route

    from runtimes.web.egress.proxy import ContextProxy

MAX_BLOCKED = 1_000
MAX_PAGES = 10
MAX_DIALOGS = 10
"""Dialogs of one step that are answered with OK; more of them are a storm, and dismissed."""

MAX_DOCUMENTS = 5
"""Documents of one step after which a page that leads on to another is taken to do so for ever."""

ENDLESS_DOCUMENTS = 20
"""Documents of one step after which no further one is let through, as a browser follows no more redirects."""

MAX_DOCUMENT_BYTES = 20_000_000
"""A larger document is not read: it would take the browser's memory, and no agent could see it."""

T = TypeVar("T")
_ENDLESS_DIALOGS, _ENDLESS_SECONDS = 100, 10.0


class Watch:
    """The events of one context. `page` is the current page, the newest one opened and still open.

    `blocked` lists refused addresses, oldest first; the context's `proxy` keeps a list of its own. `notices`
    are sentences the agent has not been told yet. `refused_document`, `large_document`, `navigation_fault`
    and `page_fault` tell what kept the last action from opening a page or keeping one; `failed_document` is
    the address of one that did not come, or that the proxy answered in the site's place. `documents` counts
    those that the current page has asked for since the action began. `cookies` are those that documents came
    with, as Playwright has them in a storage state: at the end of an episode some are others.
    """

    def __init__(self, context: BrowserContext, guard: Guard, proxy: ContextProxy | None = None) -> None:
        self.context = context
        self.guard = guard
        self.page: Page
        self.blocked: list[str] = []
        self.proxy = proxy
        self.notices = Notices()
        self._crashed: set[Page] = set()
        self.new_document = False
        self.documents = 0
        self.refused_document = self.large_document = self.navigation_fault = self.page_fault = ""
        self.failed_document = ""
        self.cookies: list[dict[str, Any]] = []
        self._navigations: set[Request] = set()
        self._calls: set[Request] = set()
        self._changed = asyncio.Event()
        self._opening = False
        self._arrived: list[Page] = []
        self._events = Events()
        self._proxy_blocked_taken = 0
        self._dialog_times: deque[float] = deque(maxlen=_ENDLESS_DIALOGS)

    async def start(self) -> None:
        """Guard the context and open its first page."""
        await self.context.route("**/*", self._on_route)
        self.context.on("page", self._on_page)
        self.context.on("dialog", self._on_dialog)
        self.context.on("request", self._on_request)
        self.context.on("response", self._on_response)
        self.context.on("requestfinished", self._on_request_over)
        self.context.on("requestfailed", self._on_request_failed)
        await self.open_tab()

    async def open_tab(self) -> None:
        """Open a blank page, the current one from now on."""
        self._opening = True
        try:
            own = await self.context.new_page()
        finally:
            self._opening = False
            arrived, self._arrived = self._arrived, []
        for page in arrived:
            if page is not own:
                self._tell_of_popup(page, "it is a tab beside the current one")
        self.page = own

    def begin(self) -> None:
        """An action begins: what is still under way was started by earlier ones."""
        self._calls.clear()
        self.documents = 0
        self.refused_document = self.large_document = self.navigation_fault = self.page_fault = ""
        self.failed_document = ""

    @property
    def tab(self) -> int:
        """The current page's place among the open ones, from 0."""
        pages = self.context.pages
        return pages.index(self.page) if self.page in pages else 0

    @property
    def crashed(self) -> bool:
        """Whether the current page's process died."""
        return self.page in self._crashed

    @property
    def navigating(self) -> bool:
        """Whether a document of the current page, or of a window still to be opened, is under way."""
        return any(map(self._concerns_agent, self._navigations))

    @property
    def endless(self) -> bool:
        """Whether the current page led on to more others than any page does that comes to an end."""
        return self.documents > ENDLESS_DOCUMENTS

    @property
    def calling(self) -> bool:
        """Whether a fetch or XHR call of the current page, begun since the action, is under way."""
        return any(map(self._concerns_agent, self._calls))

    async def until_navigated(self) -> None:
        """Wait until no such document is under way; the caller sets the deadline."""
        while self.navigating:
            await self._change()

    async def until_calls_answered(self) -> None:
        """Wait until such calls have ended; the caller sets the deadline."""
        while self.calling:
            await self._change()

    async def stop_loading(self, page: Page) -> None:
        """The browser's own stop: one by script would wait for the document that does not come."""
        self._navigations.clear()
        session = await self.context.new_cdp_session(page)
        await session.send("Page.stopLoading")
        await session.detach()

    async def live_page(self) -> Page:
        """The current page; where it closed itself, the newest one left, or a blank one."""
        if self.page.is_closed():
            open_pages = self.context.pages
            if open_pages:
                self.page = open_pages[-1]
            else:
                await self.open_tab()
        return self.page

    def take_events(self) -> Events:
        """What was seen since the last call."""
        taken, self._events = self._events, Events()
        refused = self.proxy.blocked[self._proxy_blocked_taken :] if self.proxy is not None else []
        self._proxy_blocked_taken += len(refused)
        taken.blocked.extend(refused[: MAX_EVENTS - len(taken.blocked)])
        return taken

    def _concerns_agent(self, request: Request) -> bool:
        frame = _frame_of(request)
        return frame is None or frame.page is self.page

    def _leads_on(self, request: Request) -> bool:
        """Whether the current page asks for a document in its own place; a new window's has no frame yet."""
        frame = _frame_of(request)
        return _is_main_document(request) and frame is not None and frame.page is self.page

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _block(self, url: str) -> None:
        if len(self.blocked) < MAX_BLOCKED:
            self.blocked.append(url)
        _keep(self._events.blocked, url)

    async def _on_route(self, route: Route) -> None:
        from playwright.async_api import Error

        with suppress(Error):  # the page may be gone by now
            if self.guard.refusal(route.request.url):
                self._block(route.request.url)
                if _is_main_document(route.request):
                    self.refused_document = route.request.url
                # "aborted" keeps the old document, where other codes put an error page in its place.
                await route.abort("aborted")
            elif self.endless and self._leads_on(route.request):
                await route.abort("aborted")
            else:
                await route.continue_()

    def _on_request(self, request: Request) -> None:
        if request.redirected_from is not None and self.guard.refusal(request.url):
            self._block(request.url)  # routes do not see where a redirect leads
        if _is_main_document(request):
            self._navigations.add(request)
            # Documents, not addresses: a page that rewrites its own address stays where it is.
            self.documents += request.redirected_from is None and self._leads_on(request)
        elif request.resource_type in {"xhr", "fetch"}:
            self._calls.add(request)
        self._changed.set()

    async def _on_response(self, response: Response) -> None:
        from playwright.async_api import Error

        if response.request not in self._navigations:
            return
        if is_of_proxy(response.headers):
            self.failed_document = response.url
        size = response.headers.get("content-length", "")
        if size.isdecimal() and int(size) > MAX_DOCUMENT_BYTES:
            self.large_document = f"{response.url} is {int(size) / 1e6:.0f} MB large"
            with suppress(Error):
                await self.stop_loading(response.frame.page)
        with suppress(Error):  # the page may be gone
            self.cookies += map(_cookie, await response.header_values("set-cookie"))

    def _on_request_over(self, request: Request) -> None:
        self._navigations.discard(request)
        self._calls.discard(request)
        self._changed.set()

    def _on_request_failed(self, request: Request) -> None:
        failure = request.failure or ""
        if request in self._navigations and "ERR_ABORTED" not in failure:
            self.failed_document = request.url
            self.navigation_fault = f"{request.url}: {failure}"
        self._on_request_over(request)

    def _on_navigated(self, frame: Frame) -> None:
        if frame.parent_frame is None:
            self.new_document = True
            self._navigations = {request for request in self._navigations if _frame_of(request) != frame}
            self._changed.set()

    async def _on_page(self, page: Page) -> None:
        from playwright.async_api import Error

        if not self._opening:
            if len(self.context.pages) > MAX_PAGES:
                self.notices.append(f"Further windows were closed at once: at most {MAX_PAGES} can be open.")
                with suppress(Error):
                    await page.close()
                self._forget(page)
                return
            self._tell_of_popup(page, "it is the current page now")
        else:
            self._arrived.append(page)  # whose it is shows once ours is known
        self.page = page
        self.new_document = True
        page.on("framenavigated", self._on_navigated)
        page.on("crash", self._on_crash)
        page.on("close", self._on_close)
        page.on("download", self._on_download)
        self._changed.set()

    def _tell_of_popup(self, page: Page, place: str) -> None:
        self.notices.append(f"A new window was opened; {place}.")
        _keep(self._events.popups, page)

    def _forget(self, page: Page) -> None:
        """Wait no longer for what a closed page was to show."""
        frames = {request: _frame_of(request) for request in self._navigations}
        self._navigations = {r for r, frame in frames.items() if frame is None or frame.page is not page}
        self._changed.set()

    def _on_crash(self, page: Page) -> None:
        self._crashed.add(page)

    def _on_close(self, page: Page) -> None:
        self._forget(page)
        if page is self.page and self.context.pages:
            self.page = self.context.pages[-1]
            self.notices.append("The window closed; the newest one left is the current page now.")
        self._changed.set()

    def _on_download(self, download: Download) -> None:
        self.notices.append(f"A download was refused: {download.url}")
        _keep(self._events.downloads, download.url)

    async def _on_dialog(self, dialog: Dialog) -> None:
        from playwright.async_api import Error

        said = {"type": dialog.type, "message": dialog.message[:500], "answer": "accepted"}
        asked = len(self._events.dialogs)
        with suppress(Error):  # the page may be gone by now
            if asked < MAX_DIALOGS:
                self._events.dialogs.append(said)
                self.notices.append(
                    f"A dialog ({dialog.type}) said {said['message']!r} and was answered with OK."
                )
                await dialog.accept(dialog.default_value)
                return
            if asked == MAX_DIALOGS:
                self._events.dialogs.append({**said, "answer": "dismissed, as all after it: a storm"})
                self.notices.append("The page opens a storm of dialogs; further ones were dismissed.")
            await dialog.dismiss()
            if self._storms_endlessly() and dialog.page is not None:
                self.page_fault = "its page opened dialogs without end, and was closed"
                await dialog.page.close()

    def _storms_endlessly(self) -> bool:
        """A script that does nothing else never gives the page back, however its dialogs are answered."""
        self._dialog_times.append(now := time.monotonic())
        return len(self._dialog_times) == _ENDLESS_DIALOGS and now - self._dialog_times[0] < _ENDLESS_SECONDS


def _keep(events: list[T], event: T) -> None:
    if len(events) < MAX_EVENTS:
        events.append(event)


def _cookie(header: str) -> dict[str, Any]:
    """A Set-Cookie header's cookie."""
    pair, *attributes = header.split(";")
    name, _, value = pair.partition("=")
    http_only = any(attribute.strip().lower() == "httponly" for attribute in attributes)
    return {"name": name.strip(), "value": value.strip(), "httpOnly": http_only}


def _is_main_document(request: Request) -> bool:
    if not request.is_navigation_request():
        return False
    frame = _frame_of(request)
    return frame is None or frame.parent_frame is None


def _frame_of(request: Request) -> Frame | None:
    """The frame a document is for; None when it is that of a window still to be opened."""
    from playwright.async_api import Error

    try:
        return request.frame
    except Error:
        return None
