"""What the benchmarks share: a project folder of their own, a process tree's memory, unions of intervals."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.bare import PYTHON

ROOT = Path(__file__).resolve().parent.parent
SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Command:
    """A finished command: its wall time in seconds and the peak PSS of its process tree in MB."""

    seconds: float
    peak_memory_mb: float


@contextmanager
def project() -> Iterator[Path]:
    """An empty project folder with this checkout's Dagster configuration, removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="adp-bench-"))
    try:
        shutil.copy(ROOT / "dagster.yaml", folder)
        (folder / ".env").write_text(f"DAGSTER_HOME={folder / '.dagster'}\n")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def adp(folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> Command:
    """Run `adp` in a project folder and watch its memory. Raises RuntimeError when it fails."""
    started = time.monotonic()
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("adp")), *arguments],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with Peak(process.pid) as peak:
        output, _ = process.communicate()
        seconds = time.monotonic() - started
    if process.returncode:
        raise RuntimeError(f"adp {' '.join(arguments)} ended with {process.returncode}:\n{output}")
    return Command(seconds, peak.megabytes)


def describe_machine() -> dict[str, object]:
    version = subprocess.run([PYTHON, "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "cores": len(os.sched_getaffinity(0)),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "python": version.split()[-1],
        "load_before": round(os.getloadavg()[0], 2),
    }


def union(intervals: Iterable[tuple[float, float]]) -> float:
    """Seconds covered by at least one of the intervals."""
    covered, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered


def tree_pss(pid: int) -> int:
    """Bytes of memory of a process and all below it, shared pages divided among those that share them."""
    total = 0
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


class Peak:
    """The most memory, `megabytes` of PSS, that a process and all below it take while this context lasts."""

    def __init__(self, pid: int) -> None:
        self.megabytes = 0.0
        self._pid = pid
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._watching.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._watching.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.megabytes = max(self.megabytes, tree_pss(self._pid) / 1e6)
