"""What goes on in one browser context between two actions: requests, navigations, dialogs, popups, crashes.

It refuses addresses, answers dialogs and keeps the current page; acting and observing are `page.py`'s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from runtimes.web.guard import Guard

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Dialog, Download, Frame, Page, Request, Route

MAX_BLOCKED = 1_000
MAX_NOTICES = 10
MAX_PAGES = 10


class Watch:
    """The events of one context. `page` is the current page, the newest one opened and still open.

    `blocked` lists refused addresses, oldest first. `notices` are sentences the agent has not been told yet.
    `refused_document` and `navigation_fault` tell what kept the last action from opening a page.
    """

    def __init__(self, context: BrowserContext, guard: Guard) -> None:
        self.context = context
        self.guard = guard
        self.page: Page
        self.blocked: list[str] = []
        self.notices: deque[str] = deque(maxlen=MAX_NOTICES)
        self.crashed = False
        self.new_document = False
        self.refused_document = ""
        self.navigation_fault = ""
        self._navigations: dict[Request, Frame | None] = {}
        self._calls: set[Request] = set()
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Guard the context and open its first page."""
        await self.context.route("**/*", self._on_route)
        self.context.on("page", self._on_page)
        self.context.on("dialog", self._on_dialog)
        self.context.on("request", self._on_request)
        self.context.on("requestfinished", self._on_request_over)
        self.context.on("requestfailed", self._on_request_failed)
        self.page = await self.context.new_page()

    def begin(self) -> None:
        """An action begins: what is still under way was started by earlier ones."""
        self._calls.clear()
        self.navigation_fault = self.refused_document = ""

    @property
    def navigating(self) -> bool:
        return bool(self._navigations)

    def forget_navigations(self) -> None:
        self._navigations.clear()

    async def until_navigated(self) -> None:
        """Wait until no main document is under way; the caller sets the deadline."""
        while self._navigations:
            await self._change()

    async def until_calls_answered(self) -> None:
        """Wait until the action's own fetch and XHR calls have ended; the caller sets the deadline."""
        while self._calls:
            await self._change()

    async def live_page(self) -> Page:
        """The current page; where it closed itself, the newest one left, or a blank one."""
        if self.page.is_closed():
            open_pages = self.context.pages
            self.page = open_pages[-1] if open_pages else await self.context.new_page()
        return self.page

    def take_notices(self) -> list[str]:
        notices = list(self.notices)
        self.notices.clear()
        return notices

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _block(self, url: str) -> None:
        if len(self.blocked) < MAX_BLOCKED:
            self.blocked.append(url)

    async def _on_route(self, route: Route) -> None:
        from playwright.async_api import Error

        with suppress(Error):  # the page may be gone by now
            if self.guard.refusal(route.request.url):
                self._block(route.request.url)
                if _is_main_document(route.request):
                    self.refused_document = route.request.url
                # "aborted" keeps the old document, where other codes put an error page in its place.
                await route.abort("aborted")
            else:
                await route.continue_()

    def _on_request(self, request: Request) -> None:
        if request.redirected_from is not None and self.guard.refusal(request.url):
            self._block(request.url)  # routes do not see where a redirect leads
        if _is_main_document(request):
            self._navigations[request] = _frame_of(request)
        elif request.resource_type in {"xhr", "fetch"}:
            self._calls.add(request)
        self._changed.set()

    def _on_request_over(self, request: Request) -> None:
        self._navigations.pop(request, None)
        self._calls.discard(request)
        self._changed.set()

    def _on_request_failed(self, request: Request) -> None:
        failure = request.failure or ""
        if request in self._navigations and "ERR_ABORTED" not in failure:
            self.navigation_fault = f"{request.url} could not be opened: {failure}"
        self._on_request_over(request)

    def _on_navigated(self, frame: Frame) -> None:
        if frame.parent_frame is None:
            self.new_document = True
            self._navigations = {r: f for r, f in self._navigations.items() if f != frame}
            self._changed.set()

    async def _on_page(self, page: Page) -> None:
        if len(self.context.pages) > MAX_PAGES:
            self.notices.append("A further window was closed at once: too many are open.")
            await page.close()
            return
        if len(self.context.pages) > 1:
            self.notices.append("A new window was opened; it is the current page now.")
        self.page = page
        self.new_document = True
        page.on("framenavigated", self._on_navigated)
        page.on("crash", self._on_crash)
        page.on("close", self._on_close)
        page.on("download", self._on_download)
        self._changed.set()

    def _on_crash(self, page: Page) -> None:
        self.crashed = self.crashed or page is self.page

    def _on_close(self, page: Page) -> None:
        self._navigations = {r: f for r, f in self._navigations.items() if f is None or f.page is not page}
        if page is self.page and self.context.pages:
            self.page = self.context.pages[-1]
            self.notices.append("The window closed; the one before it is the current page now.")
        self._changed.set()

    def _on_download(self, download: Download) -> None:
        self.notices.append(f"A download was refused: {download.url}")

    async def _on_dialog(self, dialog: Dialog) -> None:
        from playwright.async_api import Error

        self.notices.append(
            f"A dialog ({dialog.type}) said {dialog.message[:500]!r} and was answered with OK."
        )
        with suppress(Error):  # the page may be gone by now
            await dialog.accept(dialog.default_value)


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
