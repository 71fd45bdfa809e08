"""One Chromium process and the Playwright driver that owns it: found, launched, closed without a trace."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from runtimes.errors import ConfigurationError, InfrastructureError

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright
    from playwright.async_api._context_manager import PlaywrightContextManager

EXECUTABLES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""In order of preference: the headless shell takes half the memory a context and a third of the start."""

CLOSE_SECONDS = 5.0
_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--no-first-run",
    "--no-pings",
)
_INSTALL = (
    "Install one with `apt-get install chromium-headless-shell`, or with "
    "`playwright install --with-deps --only-shell chromium`."
)


class Chromium:
    """A running browser. Use `launch`; `close` leaves no process, whatever state the browser is in."""

    def __init__(self, playwright: Playwright, browser: Browser, process: psutil.Process) -> None:
        self.browser = browser
        self._playwright = playwright
        self._process = process
        # Not simply its parent: the browser's command may be a shell script.
        self._driver = next((p for p in process.parents() if p.ppid() == os.getpid()), None)

    @classmethod
    async def launch(cls, sites: Mapping[str, int]) -> Chromium:
        """Start driver and browser; the browser finds each of `sites` at its port of 127.0.0.1.

        Raises ConfigurationError when there is no Chromium, InfrastructureError when it does not start.
        """
        from playwright.async_api import Error, async_playwright

        manager = async_playwright()
        playwright = await manager.start()
        _expect_loss(manager)
        rules = ",".join(f"MAP {host} 127.0.0.1:{port}" for host, port in sites.items())
        try:
            browser = await playwright.chromium.launch(
                executable_path=next(filter(None, map(shutil.which, EXECUTABLES)), None),
                args=[*_FLAGS, f"--host-resolver-rules={rules}"],
                # Chromium refuses its own sandbox to root; anyone else keeps it.
                chromium_sandbox=os.geteuid() != 0,
                # Signals are the platform's to handle: the driver would close pages under running episodes.
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
            session = await browser.new_browser_cdp_session()
            processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
            await session.detach()
            pid = next(entry["id"] for entry in processes if entry["type"] == "browser")
            return cls(playwright, browser, psutil.Process(pid))
        except BaseException as error:
            await _within_close_seconds(playwright.stop())
            if not isinstance(error, Error | psutil.Error):
                raise
            if "Executable doesn't exist" in str(error):
                raise ConfigurationError("There is no Chromium on this machine.", _INSTALL) from error
            cause = str(error).strip().split("\n", 1)[0]
            raise InfrastructureError(
                "browser_error",
                f"Chromium did not start: {cause}",
                "Check free memory and /dev/shm, then retry.",
            ) from error

    @property
    def alive(self) -> bool:
        """Asked of the system too: Playwright takes a while to notice, and a lost driver it never tells."""
        return self.browser.is_connected() and _runs(self._process) and _runs(self._driver)

    async def close(self) -> None:
        try:
            if self.alive:
                await _within_close_seconds(self.browser.close())
        finally:
            await self.kill()

    async def kill(self) -> None:
        """End a browser that hangs, or what is left of one: after a lost driver nobody else would."""
        self._kill_processes()
        # Only now: the driver would wait for a browser that hangs.
        await _within_close_seconds(self._playwright.stop())

    def _kill_processes(self) -> None:
        with suppress(psutil.NoSuchProcess):
            for process in [*self._process.children(recursive=True), self._process]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()


def _expect_loss(manager: PlaywrightContextManager) -> None:
    """Take notice of a lost driver in Playwright's name, which else has asyncio complain at exit.

    Every call in flight fails by itself then; the future that says so is looked at by nobody.
    """
    transport = getattr(getattr(manager, "_client", None), "_transport", None)
    lost: asyncio.Future[None] | None = getattr(transport, "on_error_future", None)
    if lost is not None:
        lost.add_done_callback(lambda future: future.cancelled() or future.exception())


def _runs(process: psutil.Process | None) -> bool:
    try:
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _within_close_seconds(closing: Awaitable[None]) -> None:
    """Await a close of the driver's; a dead or hanging one must not keep the rest from being closed."""
    with suppress(Exception):
        await asyncio.wait_for(closing, CLOSE_SECONDS)
