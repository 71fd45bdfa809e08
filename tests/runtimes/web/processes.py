"""The browsers that run, as the system sees them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

from runtimes.web.browser import keeper


def browsers(of: psutil.Process | None = None) -> list[psutil.Process]:
    """The browsers of a process (this one), apart from their own children."""
    found = []
    for process in (of or psutil.Process()).children(recursive=True):
        with suppress(psutil.Error):
            command = process.cmdline()
            if command and "chrom" in command[0] and not any("--type=" in argument for argument in command):
                found.append(process)
    return found


def renderers() -> set[psutil.Process]:
    """The processes of pages, in all browsers of this process."""
    found = set()
    for browser in browsers():
        for process in browser.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if "--type=renderer" in process.cmdline():
                    found.add(process)
    return found


def is_gone(*processes: psutil.Process) -> bool:
    """Whether they have ended, or do so while a patient person would wait."""
    _, alive = psutil.wait_procs(processes, timeout=20)
    return not alive


def folders(temporary: Path) -> list[str]:
    """The names of the browsers' folders there."""
    return sorted(path.name for path in temporary.glob(f"{keeper.PREFIX}*"))
