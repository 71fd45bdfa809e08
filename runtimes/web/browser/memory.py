"""How much memory browsers use and may use, and whether one more context fits.

All figures are MB of 2**20 bytes. What a tree of processes uses is its PSS, which counts pages that processes
share once; RSS, which counts them in each, stands in where the kernel does not let PSS be read.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runtimes.web.browser.keeper import processes

MB = 2**20
FIRST_BROWSER_MB = 130.0
FIRST_CONTEXT_MB = 40.0
LEAST_CONTEXT_MB = 15.0

_YOUNG_SECONDS = 2.0
"""A context younger than that does not show in a measurement with what it is going to use."""
_LEAST_AGE_SECONDS = 1.0
_SHARE_OF_TIME = 0.02
"""Of the time, measuring may take so much."""
_LEARNING_RATE = 0.3


def used_mb(sessions: Iterable[int], pids: Iterable[int] = ()) -> float:
    """What the processes of these sessions, and these, use together. Takes 1-2 ms a process."""
    return sum(_process_kb(p.pid) for p in processes(sessions, pids) if not p.ended) / 1024


def available_mb(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> float:
    """What this process can still use before its machine, or one of its control groups, runs out."""
    available = [_meminfo_kb(proc) / 1024]
    for line in _text(proc / "self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            # Beside groups of v1, those of v2 are mounted one level below.
            for root in (groups, groups / "unified"):
                available += _group_mb(root, path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = groups / "memory"
            available += _group_mb(
                root, path, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
            )
    return max(0.0, min(available))


@dataclass
class Usage:
    """One measurement of all browsers: with how many contexts, and what the browsers used without any."""

    total_mb: float
    contexts: int
    empty_mb: float


class MemoryBudget:
    """Lets a context in while what is used, and one context more, fit `memory_mb`; one is always let in.

    `measure` is asked at most once a second, and seldom enough to take 2 % of the time. What a context uses
    is learnt from what is seen. None is half of what is available when the first context is let in.
    """

    def __init__(self, memory_mb: float | None, measure: Callable[[], Awaitable[Usage]]) -> None:
        self.memory_mb = memory_mb
        self.context_mb = FIRST_CONTEXT_MB
        self._measure = measure
        self._usage = Usage(FIRST_BROWSER_MB, 0, FIRST_BROWSER_MB)
        self._measured_at = float("-inf")
        self._cost_seconds = 0.0
        self._let_in: list[float] = []
        self._turn = asyncio.Lock()
        self._left = asyncio.Event()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Room for one context; whoever came first gets it first."""
        async with self._turn:
            if self.memory_mb is None:
                self.memory_mb = available_mb() / 2
            await self._until_it_fits(self.memory_mb)
            entered = time.monotonic()
            self._let_in.append(entered)
        try:
            yield
        finally:
            self._let_in.remove(entered)
            self._left.set()

    async def _until_it_fits(self, memory_mb: float) -> None:
        while True:
            self._left.clear()
            now = time.monotonic()
            age = max(_LEAST_AGE_SECONDS, self._cost_seconds / _SHARE_OF_TIME)
            if now - self._measured_at > age:
                await self._learn()
            unseen = sum(entered > self._measured_at - _YOUNG_SECONDS for entered in self._let_in)
            expected = self._usage.total_mb + (unseen + 1) * self.context_mb
            if not self._let_in or expected <= memory_mb:
                return
            with suppress(TimeoutError):
                # One that ends makes room, and so may one that goes on.
                await asyncio.wait_for(self._left.wait(), age)

    async def _learn(self) -> None:
        begun = time.monotonic()
        usage = await self._measure()
        if not usage.total_mb:
            return  # no browser runs yet
        self._usage = usage
        self._measured_at = time.monotonic()
        self._cost_seconds = self._measured_at - begun
        if not usage.contexts:
            return
        seen = max(LEAST_CONTEXT_MB, (usage.total_mb - usage.empty_mb) / usage.contexts)
        # Young ones can only make it look like less.
        if seen > self.context_mb or not any(entered > begun - _YOUNG_SECONDS for entered in self._let_in):
            self.context_mb += _LEARNING_RATE * (seen - self.context_mb)


def _process_kb(pid: int) -> int:
    with suppress(OSError):
        for line in _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    with suppress(OSError):
        return int(_text(Path(f"/proc/{pid}/statm")).split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    return 0  # it ended meanwhile


def _meminfo_kb(proc: Path) -> int:
    for line in _text(proc / "meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1])
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024


def _group_mb(root: Path, path: str, limit: str, used: str, cache: str) -> list[float]:
    """What the group `path` and each above it has left; file cache that nobody needs counts as left."""
    left = []
    folder = root / path.lstrip("/")
    for group in (folder, *folder.parents):
        if not group.is_relative_to(root):
            break
        with suppress(OSError, ValueError):  # no such group here, or "max"
            room = int(_text(group / limit)) - int(_text(group / used))
            stat = dict(line.split() for line in _text(group / "memory.stat").splitlines())
            left.append((room + int(stat.get(cache, 0))) / MB)
    return left


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
