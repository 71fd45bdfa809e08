"""The machine's Chromium, driven by Playwright, for looking at pages of our own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runtimes.web.browser.chromium import EXECUTABLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that lasts as long as the context."""
    from playwright.sync_api import sync_playwright

    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=flags)
        yield browser
        browser.close()
