"""One Chromium process: found, launched, closed without a trace."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

import psutil

from runtimes.errors import ConfigurationError, InfrastructureError
from runtimes.web.browser.driver import Driver, runs, within_close_seconds
from runtimes.web.browser.workfolder import WorkFolder
from runtimes.web.egress.proxy import BROWSER_FLAGS

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright

SHELL = "chromium-headless-shell"
EXECUTABLES = (SHELL, "chromium", "chromium-browser", "google-chrome")
"""In order of preference: the headless shell takes half the memory a context and a third of the start."""

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


class Chromium:
    """A running browser. Use `launch`; `close` leaves no process and no file, in whatever state it is.

    `empty_mb` is the memory of browser and driver before the first context.
    """

    def __init__(
        self, browser: Browser, process: psutil.Process, driver: Driver, folder: WorkFolder, empty_mb: float
    ) -> None:
        self.browser = browser
        self.driver = driver
        self.empty_mb = empty_mb
        self._process = process
        self._folder = folder
        self._killing: asyncio.Task[None] | None = None

    @classmethod
    async def launch(cls, driver: Driver | None = None) -> Chromium:
        """Start a browser, with a driver of its own where none is given.

        A context without a proxy of its own reaches nothing. Raises ConfigurationError when there is no
        Chromium, InfrastructureError when it does not start.
        """
        from playwright.async_api import Error

        try:
            async with asyncio.timeout(LAUNCH_SECONDS):
                driver = driver or await Driver.start()
                driver.join()
                try:
                    return await cls._launch_by(driver)
                except BaseException:
                    await driver.leave()
                    raise
        except (Error, psutil.Error, OSError) as error:  # TimeoutError is an OSError
            if "Executable doesn't exist" in str(error):
                raise ConfigurationError("There is no Chromium on this machine.", _INSTALL) from error
            raise _not_started(error) from error

    @classmethod
    async def _launch_by(cls, driver: Driver) -> Chromium:
        folder = WorkFolder()
        try:
            browser = await _launch_browser(driver.playwright, folder)
            process = await _process_of(browser)
            driver.process = _driver_of(process)
            folder.tell(driver=driver.process.pid, session=os.getsid(process.pid))
            empty_mb = await asyncio.to_thread(folder.used_mb)
        except BaseException:
            await folder.end()
            raise
        return cls(browser, process, driver, folder, empty_mb)

    @property
    def alive(self) -> bool:
        """Asked of the system too: Playwright takes a while to notice, and a lost driver it never tells."""
        return (
            self.browser.is_connected()
            and not self.killed
            and runs(self._process)
            and self.driver.alive
            and self._folder.kept
        )

    @property
    def killed(self) -> bool:
        """Whether it was ended by us, as one that hangs."""
        return self._killing is not None

    def used_mb(self) -> float:
        """What browser and driver use now. Takes 10 ms and more: not for the loop."""
        return self._folder.used_mb()

    async def close(self) -> None:
        if self.alive:
            await within_close_seconds(self.browser.close())
        await self.kill()

    async def kill(self) -> None:
        """End a browser that hangs, or what is left of one: after a lost driver nobody else would."""
        if self._killing is None:
            self._killing = asyncio.create_task(self._kill())
        await asyncio.shield(self._killing)

    async def _kill(self) -> None:
        # Before its driver, which would wait for a browser that hangs.
        await self._folder.end()
        await self.driver.leave()


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


async def _process_of(browser: Browser) -> psutil.Process:
    session = await browser.new_browser_cdp_session()
    found = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    await session.detach()
    for entry in found:
        if entry["type"] == "browser":
            return psutil.Process(entry["id"])
    raise OSError("the browser names no process of its own")


def _driver_of(browser: psutil.Process) -> psutil.Process:
    """Not simply its parent: the browser's command may be a shell script."""
    for process in browser.parents():
        if process.ppid() == os.getpid():
            return process
    raise psutil.NoSuchProcess(browser.pid, msg="the driver died")


def _not_started(error: BaseException) -> InfrastructureError:
    cause = str(error).strip().split("\n", 1)[0] or type(error).__name__
    return InfrastructureError(
        "browser_error",
        f"Chromium did not start: {cause}",
        "Check free memory and the free space of the temporary folder (TMPDIR), then retry.",
    )
