"""One Chromium process and the Playwright driver that owns it: found, launched, closed without a trace."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from runtimes.errors import ConfigurationError, InfrastructureError
from runtimes.web import supplement
from runtimes.web.egress import BROWSER_FLAGS
from runtimes.web.memory import used_mb
from runtimes.web.workfolder import WorkFolder

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright
    from playwright.async_api._context_manager import PlaywrightContextManager

SHELL = "chromium-headless-shell"
EXECUTABLES = (SHELL, "chromium", "chromium-browser", "google-chrome")
"""In order of preference: the headless shell takes half the memory a context and a third of the start."""

CLOSE_SECONDS = 5.0
LAUNCH_SECONDS = 30.0

_FLAGS = (
    *BROWSER_FLAGS,
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
)
_INSTALL = (
    "Install one with `apt-get install chromium-headless-shell`, or with "
    "`playwright install --with-deps --only-shell chromium`."
)


@dataclass(frozen=True)
class Processes:
    """The driver, a child of this process, and the browser it started in a session of its own."""

    driver: psutil.Process
    browser: psutil.Process
    session: int


class Chromium:
    """A running browser. Use `launch`; `close` leaves no process and no file, in whatever state it is.

    `empty_mb` is the memory of browser and driver before the first context.
    """

    def __init__(
        self,
        playwright: Playwright,
        browser: Browser,
        folder: WorkFolder,
        processes: Processes,
        empty_mb: float,
    ) -> None:
        self.browser = browser
        self.empty_mb = empty_mb
        self._playwright = playwright
        self._folder = folder
        self._processes = processes
        self._killing: asyncio.Task[None] | None = None

    @classmethod
    async def launch(cls) -> Chromium:
        """Start driver and browser; a context without a proxy of its own reaches nothing.

        Raises ConfigurationError when there is no Chromium, InfrastructureError when it does not start.
        """
        from playwright.async_api import Error

        try:
            folder = WorkFolder()
        except OSError as error:
            raise _not_started(error) from error
        try:
            async with asyncio.timeout(LAUNCH_SECONDS):
                return await cls._launch_in(folder)
        except BaseException as error:
            await folder.end()
            if "Executable doesn't exist" in str(error):
                raise ConfigurationError("There is no Chromium on this machine.", _INSTALL) from error
            if isinstance(error, Error | psutil.Error | OSError):  # TimeoutError is an OSError
                raise _not_started(error) from error
            raise

    @classmethod
    async def _launch_in(cls, folder: WorkFolder) -> Chromium:
        from playwright.async_api import async_playwright

        manager = async_playwright()
        playwright = await manager.start()
        _expect_loss(manager)
        try:
            await supplement.register(playwright)
            browser = await _launch_browser(playwright, folder)
            processes = await _processes_of(browser)
            folder.tell(driver=processes.driver.pid, session=processes.session)
            empty_mb = await asyncio.to_thread(used_mb, [processes.session], [processes.driver.pid])
            return cls(playwright, browser, folder, processes, empty_mb)
        except BaseException:
            await _within_close_seconds(playwright.stop())
            raise

    @property
    def alive(self) -> bool:
        """Asked of the system too: Playwright takes a while to notice, and a lost driver it never tells."""
        return (
            self.browser.is_connected()
            and self._killing is None
            and _runs(self._processes.browser)
            and _runs(self._processes.driver)
            and self._folder.kept
        )

    def used_mb(self) -> float:
        """What browser and driver use now. Takes 10 ms and more: not for the loop."""
        return used_mb([self._processes.session], [self._processes.driver.pid])

    async def close(self) -> None:
        try:
            if self.alive:
                await _within_close_seconds(self.browser.close())
                await _within_close_seconds(self._playwright.stop())
        finally:
            await self.kill()

    async def kill(self) -> None:
        """End a browser that hangs, or what is left of one: after a lost driver nobody else would."""
        if self._killing is None:
            self._killing = asyncio.create_task(self._kill())
        await asyncio.shield(self._killing)

    async def _kill(self) -> None:
        await self._folder.end()
        # Only now: the driver would wait for a browser that hangs.
        await _within_close_seconds(self._playwright.stop())


async def _launch_browser(playwright: Playwright, folder: WorkFolder) -> Browser:
    """A browser with all its files in `folder`, as only one with a persistent context has them."""
    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    own = await playwright.chromium.launch_persistent_context(
        folder.path / "profile",
        executable_path=executable,
        args=list(_FLAGS),
        # Chromium refuses its own sandbox to root; anyone else keeps it.
        chromium_sandbox=os.geteuid() != 0,
        # Signals are the platform's to handle: the driver would close pages under running episodes.
        handle_sigint=False,
        handle_sigterm=False,
        handle_sighup=False,
        env={**os.environ, "TMPDIR": str(folder.path)},
        artifacts_dir=folder.path / "artifacts",
        traces_dir=folder.path / "traces",
        timeout=LAUNCH_SECONDS * 1000,
    )
    if executable is None or os.path.basename(executable) == SHELL:
        for page in own.pages:
            await page.close()
    # else the blank page must stay: the full browser ends with its last window.
    assert own.browser is not None
    return own.browser


async def _processes_of(browser: Browser) -> Processes:
    session = await browser.new_browser_cdp_session()
    found = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    await session.detach()
    process = psutil.Process(next(entry["id"] for entry in found if entry["type"] == "browser"))
    # Not simply its parent: the browser's command may be a shell script.
    driver = next((p for p in process.parents() if p.ppid() == os.getpid()), None)
    if driver is None:
        raise psutil.NoSuchProcess(process.pid, msg="the driver died")
    return Processes(driver, process, os.getsid(process.pid))


def _not_started(error: BaseException) -> InfrastructureError:
    cause = str(error).strip().split("\n", 1)[0] or type(error).__name__
    return InfrastructureError(
        "browser_error",
        f"Chromium did not start: {cause}",
        "Check free memory and the free space of the temporary folder (TMPDIR), then retry.",
    )


def _expect_loss(manager: PlaywrightContextManager) -> None:
    """Take notice of a lost driver in Playwright's name, which else has asyncio complain at exit.

    Every call in flight fails by itself then; the future that says so is looked at by nobody.
    """
    transport = getattr(getattr(manager, "_client", None), "_transport", None)
    lost: asyncio.Future[None] | None = getattr(transport, "on_error_future", None)
    if lost is not None:
        lost.add_done_callback(lambda future: future.cancelled() or future.exception())


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _within_close_seconds(closing: Awaitable[None]) -> None:
    """Await a close of the driver's; a dead or hanging one must not keep the rest from being closed."""
    with suppress(Exception):
        await asyncio.wait_for(closing, CLOSE_SECONDS)
