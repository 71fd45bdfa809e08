"""Steps on a page: the runtime's, raw Playwright's, and those of a script that does the same work by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from runtimes.contracts import TaskSpec
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.observation import supplement
from runtimes.web.page.page import VIEWPORT

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

Step = Callable[[], Awaitable[object]]

REF = "e3"
"""The button's on both pages, checked before anything is measured."""

UNTIL_QUIET = """() => new Promise(done => {
  const end = () => { observer.disconnect(); done(); };
  const observer = new MutationObserver(() => { clearTimeout(quiet); quiet = setTimeout(end, 20); });
  let quiet = setTimeout(end, 20);
  observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
})"""


@asynccontextmanager
async def runtime_steps(pool: BrowserPool, url: str, count: int) -> AsyncIterator[list[Step]]:
    """The whole step of the runtime, on `count` pages: found, done, settled, seen, pictured, recorded."""
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(pool.page(task(url))) for _ in range(count)]
        for page in pages:
            assert f'button "Add one" [ref={REF}]' in await page.observe()
        yield [lambda page=page: page.click(REF) for page in pages]  # type: ignore[misc]


@asynccontextmanager
async def runtime_observation(pool: BrowserPool, url: str) -> AsyncIterator[Step]:
    async with pool.page(task(url)) as page:
        await page.observe()
        yield page.observe


@asynccontextmanager
async def raw_steps(browser: Browser, url: str, count: int, *, whole: bool) -> AsyncIterator[list[Step]]:
    """By hand, on `count` pages of contexts of their own: a click and what there is, or with `whole` all."""
    async with AsyncExitStack() as stack:
        pages = []
        for _ in range(count):
            context = await browser.new_context(viewport={"width": VIEWPORT.width, "height": VIEWPORT.height})
            stack.push_async_callback(context.close)
            await supplement.install(context)
            page = await context.new_page()
            await page.goto(url)
            await page.aria_snapshot(mode="ai")
            pages.append(page)
        act = by_hand if whole else click_and_state
        yield [lambda page=page: act(page) for page in pages]  # type: ignore[misc]


async def click_and_state(page: Page) -> None:
    """The least that an agent needs: a click and what there is then to act on, tree and supplement."""
    await page.locator(f"aria-ref={REF}").click()
    await asyncio.gather(page.aria_snapshot(mode="ai"), supplement.report_frame(page))


async def by_hand(page: Page) -> None:
    """What the runtime does, by someone who trusts ref and page: no record, no faults, no notices."""
    await page.locator(f"aria-ref={REF}").click()
    await page.evaluate(UNTIL_QUIET)
    await page.aria_snapshot(mode="ai")
    await supplement.report_frame(page)
    await page.screenshot(type="jpeg", quality=60)


async def seconds_of(steps: list[Step], rounds: int) -> float:
    """The seconds of a step of each of `steps` at once, on average over `rounds` of them."""

    async def repeat(step: Step) -> None:
        for _ in range(rounds):
            await step()

    started = time.perf_counter()
    await asyncio.gather(*map(repeat, steps))
    return (time.perf_counter() - started) / rounds


def task(url: str) -> TaskSpec:
    host = url.split("/")[2]
    constraints = {"start_url": url, "allowed_domains": [host]}
    return TaskSpec(task_type="web", description="Click.", constraints=constraints).named()
