"""The sandboxes and browsers of a running round, as the system lists them."""

from __future__ import annotations

import psutil

from sandbox.inside.runner import PYTHON

# The first words of each command line; a sandbox's are those of the python that its slot starts with.
JAILS_AND_BROWSERS = {"jail": f"{PYTHON} -I -S -B", "browser": "chrom"}


def jails_and_browsers(root_pid: int) -> dict[str, list[psutil.Process]]:
    """The living descendants of a process that are sandboxes or browsers."""
    found: dict[str, list[psutil.Process]] = {name: [] for name in JAILS_AND_BROWSERS}
    for process in psutil.Process(root_pid).children(recursive=True):
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        for name, words in JAILS_AND_BROWSERS.items():
            if words in " ".join(command[:4]):
                found[name].append(process)
    return found


def alive(process: psutil.Process) -> bool:
    """Whether it still does anything; one that nobody has buried yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
