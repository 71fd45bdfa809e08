"""The Playwright driver: a process that speaks for this one to the browsers it started."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from runtimes.web.futures import may_fail_unheard, to_the_end
from runtimes.web.observation import supplement

if TYPE_CHECKING:
    from playwright.async_api import Playwright
    from playwright.async_api._context_manager import PlaywrightContextManager

CLOSE_SECONDS = 5.0


class Driver:
    """A running driver; each browser `join`s it and `leave`s it, and it ends with the last of them.

    `process` is not known before the first browser.
    """

    def __init__(self, playwright: Playwright) -> None:
        self.playwright = playwright
        self.process: psutil.Process | None = None
        self._browsers = 0

    @classmethod
    async def start(cls) -> Driver:
        """Raises Playwright's Error and OSError."""
        from playwright.async_api import async_playwright

        manager = async_playwright()
        starting = asyncio.ensure_future(manager.start())
        try:
            playwright = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Cut off half way it would leave a process that nobody knows.
            await to_the_end(within_close_seconds(_stop_once_started(starting)))
            raise
        _expect_loss(manager)
        try:
            await supplement.register(playwright)
        except BaseException:
            await within_close_seconds(playwright.stop())
            raise
        return cls(playwright)

    @property
    def alive(self) -> bool:
        """Asked of the system: Playwright never tells of a driver that is lost."""
        return self.process is not None and runs(self.process)

    def join(self) -> None:
        self._browsers += 1

    async def leave(self) -> None:
        self._browsers -= 1
        if self._browsers == 0:
            await within_close_seconds(self.playwright.stop())
            if self.process is not None:
                with suppress(psutil.NoSuchProcess):
                    self.process.kill()


async def _stop_once_started(starting: asyncio.Future[Playwright]) -> None:
    await (await starting).stop()


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def within_close_seconds(closing: Awaitable[None]) -> None:
    """Await a close of the driver's; a dead or hanging one must not keep the rest from being closed."""
    with suppress(Exception):
        await asyncio.wait_for(closing, CLOSE_SECONDS)


def _expect_loss(manager: PlaywrightContextManager) -> None:
    """Take notice of a lost driver in Playwright's name, which else has asyncio complain at exit.

    Every call in flight fails by itself then; the future that says so is looked at by nobody.
    """
    transport = getattr(getattr(manager, "_client", None), "_transport", None)
    lost: asyncio.Future[None] | None = getattr(transport, "on_error_future", None)
    if lost is not None:
        may_fail_unheard(lost)
