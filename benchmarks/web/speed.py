"""How fast steps and observations are, beside raw Playwright and BrowserGym."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.rivals import Unavailable
from benchmarks.web.rival import browsergym
from benchmarks.web.steps import raw_steps, runtime_observation, runtime_steps, seconds_of
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.observation import supplement
from runtimes.web.page.screenshots import ScreenshotStore

CLICKS, DEFAULT_CLICKS, LOOKS = 10, 2, 3
"""A sample's: steps, steps of BrowserGym with all its waits, observations of the large page."""

AT_ONCE = 8

Sample = Callable[[], Awaitable[float]]
"""Takes one sample: seconds, on average over what it does."""


async def measure(browser: str, url: str, folder: Path, rounds: int) -> dict[str, float | None]:
    """Ratios of times on the pages at `url`; pictures go to `folder`."""
    seconds: dict[str, list[float]] = {}
    async with own_samples(browser, url, folder) as own:
        with ExitStack() as rivals:
            samples = own | rival_samples(rivals, browser, url)
            for _ in range(rounds):
                for name, sample in samples.items():
                    seconds.setdefault(name, []).append(await sample())

    def ratio(theirs: str, ours: str) -> float | None:
        return round(median(seconds[theirs]) / median(seconds[ours]), 3) if theirs in seconds else None

    return {
        "browsergym_ratio": ratio("gym", "step_1"),
        "browsergym_default_ratio": ratio("gym_default", "step_1"),
        "floor_ratio_1": ratio("floor_1", "step_1"),
        "floor_ratio_8": ratio("floor_8", "step_8"),
        "big_page_ratio": ratio("gym_look", "look"),
        "overhead_ratio": ratio("step_1", "by_hand"),
    }


@asynccontextmanager
async def own_samples(browser: str, url: str, folder: Path) -> AsyncIterator[dict[str, Sample]]:
    from playwright.async_api import async_playwright

    small, large = f"{url}/small", f"{url}/large"
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        await supplement.register(playwright)
        raw = await playwright.chromium.launch(executable_path=browser)
        stack.push_async_callback(raw.close)
        pictures = ScreenshotStore(folder / "pictures")
        pool = await stack.enter_async_context(
            BrowserPool(max_contexts=AT_ONCE + 2, screenshots=pictures, memory_mb=8000)
        )
        steps = {
            "step_1": await stack.enter_async_context(runtime_steps(pool, small, 1)),
            "by_hand": await stack.enter_async_context(raw_steps(raw, small, 1, whole=True)),
            "floor_1": await stack.enter_async_context(raw_steps(raw, small, 1, whole=False)),
            "step_8": await stack.enter_async_context(runtime_steps(pool, small, AT_ONCE)),
            "floor_8": await stack.enter_async_context(raw_steps(raw, small, AT_ONCE, whole=False)),
        }
        look = await stack.enter_async_context(runtime_observation(pool, large))
        clicks = {name: partial(seconds_of, at_once, CLICKS) for name, at_once in steps.items()}
        yield {**clicks, "look": partial(seconds_of, [look], LOOKS)}


def rival_samples(stack: ExitStack, browser: str, url: str) -> dict[str, Sample]:
    """BrowserGym's, on the same pages; none where it cannot be had, which stderr is told."""
    try:
        fast = stack.enter_context(browsergym(browser, f"{url}/small"))
        default = stack.enter_context(browsergym(browser, f"{url}/small", delays=True))
        large = stack.enter_context(browsergym(browser, f"{url}/large"))
    except Unavailable as reason:
        print(f"BrowserGym is not measured: {reason}", file=sys.stderr)
        return {}

    def sample(ask: Callable[[int], list[float]], count: int) -> Sample:
        async def taken() -> float:
            seconds = await asyncio.to_thread(ask, count)
            return sum(seconds) / count

        return taken

    return {
        "gym": sample(fast.steps, CLICKS),
        "gym_default": sample(default.steps, DEFAULT_CLICKS),
        "gym_look": sample(large.observations, 1),
    }
