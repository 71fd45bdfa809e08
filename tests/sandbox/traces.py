"""What slots could leave on the host: processes, mounts, control groups, folders of jails."""

from __future__ import annotations

import os
from fnmatch import fnmatch
from pathlib import Path

import psutil

from sandbox.backends.user import SPARE

NAMED_AFTER_THE_SANDBOX = ("agent-sandbox", "nsjail.")


def traces() -> set[str]:
    """Every one there is now, by name: what is in it afterwards and was not before was left behind."""
    return {*_processes(), *_mounts(), *_control_groups(), *_folders()}


def _processes() -> set[str]:
    """The descendants of this process, and orphans with ids that only jails have."""
    found = set()
    for process in psutil.process_iter(["uids", "ppid"]):
        uids = process.info["uids"]
        if uids is not None and uids.real in SPARE and process.info["ppid"] == 1:
            found.add(f"process {process.pid} of uid {uids.real}")
    return found | {f"child {child.pid}" for child in psutil.Process().children(recursive=True)}


def _mounts() -> set[str]:
    return {f"mount {line}" for line in Path("/proc/self/mountinfo").read_text().splitlines()}


def _control_groups() -> set[str]:
    return {f"control group {path}" for path in control_groups()}


def control_groups() -> list[Path]:
    """Those of this process, whose names hold its pid; others may come and go meanwhile."""
    wanted = f"sandbox-*-{os.getpid()}-*"
    walk = os.walk("/sys/fs/cgroup")
    return sorted(Path(top, name) for top, names, _ in walk for name in names if fnmatch(name, wanted))


def _folders() -> set[str]:
    return {
        f"folder {path}" for path in Path("/tmp").iterdir() if path.name.startswith(NAMED_AFTER_THE_SANDBOX)
    }
