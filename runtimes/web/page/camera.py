"""Pictures of a page, taken beside other work: a frame of the browser costs more than the rest of a look."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from runtimes.web.futures import may_fail_unheard
from runtimes.web.page.faults import fault

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Page

    from runtimes.web.page.screenshots import ScreenshotStore

_JPEG = {"format": "jpeg", "quality": 60, "optimizeForSpeed": True}
_SECONDS = 3.0


class Picture(NamedTuple):
    """`digest` is empty where pictures are not kept."""

    size: int
    digest: str

    def __str__(self) -> str:
        return f"JPEG, {self.size} bytes, {self.digest or 'not kept'}"


class Camera:
    """Takes the picture of a step and stores it. Without a store it takes none."""

    def __init__(self, store: ScreenshotStore | None) -> None:
        self._store = store
        self._exposure: asyncio.Task[bytes | None] | None = None
        self._sessions: WeakKeyDictionary[Page, CDPSession] = WeakKeyDictionary()

    def expose(self, page: Page) -> None:
        """Begin to take the picture of the page as it is now."""
        if self._store is None:
            return
        self._exposure = asyncio.create_task(self._jpeg(page))
        # A picture nobody asks for any more may fail unheard.
        may_fail_unheard(self._exposure)

    def discard(self) -> None:
        """The page has moved on: the picture begun does not show it."""
        self._exposure = None

    async def jpeg(self, page: Page) -> bytes:
        """The viewport as it is now. Raises ToolError where the page gives no picture."""
        taken = await self._jpeg(page)
        if taken is None:
            raise fault("action_timeout", "The page gave no picture in time.")
        return taken

    def keep(self, jpeg: bytes) -> Picture:
        """Store a picture, where there is a store. Raises InfrastructureError where it cannot be stored."""
        return Picture(len(jpeg), self._store.put(jpeg) if self._store is not None else "")

    async def digest(self, page: Page) -> str:
        """The stored picture's digest, of the one begun or else one taken now; empty where there is none.

        Raises InfrastructureError where it cannot be stored.
        """
        taken = await self.taken(page)
        return self.keep(taken).digest if taken is not None else ""

    async def taken(self, page: Page) -> bytes | None:
        """The picture begun, or else one taken now; None where none are kept or the page gives none."""
        if self._store is None:
            return None
        if self._exposure is None:
            self.expose(page)
        assert self._exposure is not None
        taken, self._exposure = await self._exposure, None
        return taken

    async def _jpeg(self, page: Page) -> bytes | None:
        """The viewport as JPEG; None where the page gives no picture in time."""
        from playwright.async_api import Error

        try:
            async with asyncio.timeout(_SECONDS):
                # Playwright's own `screenshot` asks every frame before, and costs a quarter more.
                if page not in self._sessions:
                    self._sessions[page] = await page.context.new_cdp_session(page)
                answer = await self._sessions[page].send("Page.captureScreenshot", _JPEG)
        except (Error, TimeoutError):
            self._sessions.pop(page, None)
            return None
        return base64.b64decode(answer["data"])
