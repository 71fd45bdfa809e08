"""What contexts cost in memory, how it grows, and how soon a dead browser is noticed and replaced."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from statistics import median

import psutil

from benchmarks.web.steps import REF, task
from runtimes.errors import InfrastructureError
from runtimes.web.browser.pool import BrowserPool

CONTEXTS = 8
WARM, EPISODES = 20, 120
SPREAD = 3
"""Memory is a median over so many episodes to either side: a browser frees some of it only now and then."""

DEATHS = 5


async def measure(url: str, *, quick: bool) -> dict[str, float | None]:
    """Figures of a pool of its own, on the pages at `url`."""
    small = f"{url}/small"
    return {**await memory(small, quick=quick), **await deaths(small, 1 if quick else DEATHS)}


async def memory(url: str, *, quick: bool) -> dict[str, float | None]:
    warm, episodes = (1, 2) if quick else (WARM, EPISODES)
    async with BrowserPool(max_contexts=CONTEXTS + 1, memory_mb=8000, recycle_episodes=10_000) as pool:
        early, late = list[float](), list[float]()
        for number in range(1, episodes + 1):
            async with pool.page(task(url)) as page:
                await page.observe()
                await page.click(REF)
            if abs(number - warm) <= SPREAD:
                early.append(browser_mb())
            if episodes - number <= 2 * SPREAD:
                late.append(browser_mb())
        async with AsyncExitStack() as stack:

            async def open_one() -> None:
                page = await stack.enter_async_context(pool.page(task(url)))
                await page.observe()

            await open_one()
            one = browser_mb()
            for _ in range(CONTEXTS):
                await open_one()
            all_of_them = browser_mb()
    return {
        "context_memory_mb": round((all_of_them - one) / CONTEXTS, 1),
        "memory_growth": round(median(late) / median(early) - 1, 3),
    }


async def deaths(url: str, count: int) -> dict[str, float | None]:
    """Kill the browser under an episode while another one waits to begin."""
    detected, recovered, lost = [], [], 0
    async with BrowserPool(max_contexts=4) as pool:
        for _ in range(count):
            async with pool.page(task(url)) as page:
                await page.observe()
                waiting = asyncio.create_task(page.wait_for("never to be seen", seconds=20))
                await asyncio.sleep(0.3)
                kill_browser()
                killed = time.perf_counter()
                try:
                    await waiting
                    lost += 1
                except InfrastructureError:
                    pass  # which has the episode tried again
                noticed = time.perf_counter()
            async with pool.page(task(url)) as page:
                await page.observe()
                recovered.append(time.perf_counter() - noticed)
            detected.append(noticed - killed)
    return {
        "crash_detect_ms": round(1000 * median(detected), 1),
        "crash_recover_ms": round(1000 * median(recovered), 1),
        "episodes_lost": lost,
        "orphans": len(browser_processes()),
    }


def browser_processes() -> list[psutil.Process]:
    """Those of browsers and drivers below this process."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "chrom" in process.name() or process.name() == "node":
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def browser_mb() -> float:
    """PSS of the browsers below this process, drivers left out."""
    total = 0
    for process in browser_processes():
        with suppress(psutil.NoSuchProcess):
            if "chrom" in process.name():
                total += process.memory_full_info().pss
    return total / 1e6


def kill_browser() -> None:
    """SIGKILL to the browser's first process, as the kernel does to who takes too much memory."""
    for process in browser_processes():
        with suppress(psutil.NoSuchProcess):
            if any(map(_has_type, process.children())):
                process.kill()
                return


def _has_type(process: psutil.Process) -> bool:
    """Whether it is one that a browser starts, such as a renderer; the first may be a script."""
    return "--type=" in " ".join(process.cmdline())
