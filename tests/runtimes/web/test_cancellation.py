"""An episode that is cancelled at any moment leaves neither a context nor a place, nor a task."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest

from runtimes.web.browser.pool import BrowserPool
from runtimes.web.futures import to_the_end

from .episodes import SHOP, web_task
from .processes import browsers, folders


class CancelledAt:
    """Awaits `work`, and has its task cancelled when that waits for the `moment`th time."""

    def __init__(self, work: Coroutine[Any, Any, None], moment: int) -> None:
        self.work = work
        self.moment = moment
        self.waited = 0

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self.work.__await__()
        thrown: BaseException | None = None
        while True:
            try:
                awaited = next(steps) if thrown is None else steps.throw(thrown)
            except StopIteration:
                return
            thrown = None
            self.waited += 1
            if self.waited == self.moment:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield awaited
            except BaseException as error:
                thrown = error


async def waits(work: Coroutine[Any, Any, None], moment: int = 0) -> int:
    """How often `work` waited, and that it ended well unless it was cancelled at `moment`."""
    cancelled = CancelledAt(work, moment)

    async def task() -> None:
        await cancelled

    running = asyncio.create_task(task())
    await asyncio.wait({running}, timeout=60)
    assert running.cancelled() if cancelled.waited >= moment > 0 else running.exception() is None
    return cancelled.waited


@pytest.fixture
async def pool() -> AsyncIterator[BrowserPool]:
    """It has one place: an episode that kept it would let no other in."""
    async with BrowserPool(max_contexts=1, start_url=SHOP) as pool:
        yield pool


async def test_an_episode_cancelled_at_any_moment_leaves_nothing(pool: BrowserPool) -> None:
    async def episode() -> None:
        async with pool.page(web_task()) as page:
            await page.observe()

    await waits(episode())
    tasks = len(asyncio.all_tasks())
    moments = await waits(episode())
    for moment in range(1, moments + 1):
        await waits(episode(), moment)
    assert len(browsers()) == 1
    async with asyncio.timeout(60), pool.page(web_task()) as page:
        assert "Welcome to The Shop" in await page.observe()
        browser = page.current.context.browser
        assert browser is not None
        assert len(browser.contexts) == 2  # with the browser's own
    assert len(asyncio.all_tasks()) == tasks


async def test_a_pool_whose_close_is_cancelled_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    async def use(at: asyncio.Event) -> None:
        async with BrowserPool(start_url=SHOP) as pool:
            await pool.check()
            at.set()

    for moments_later in (0, 1, 3):
        closing = asyncio.Event()
        using = asyncio.create_task(use(closing))
        await closing.wait()
        for _ in range(moments_later):
            await asyncio.sleep(0)
        using.cancel()
        await asyncio.wait({using})
        assert using.cancelled()
        assert browsers() == []
        assert folders(tmp_path) == []


async def test_what_is_to_be_closed_is_closed_however_often_its_episode_is_cancelled() -> None:
    closed = asyncio.Event()
    closing = asyncio.Event()

    async def close() -> None:
        closing.set()
        for _ in range(20):
            await asyncio.sleep(0)
        closed.set()

    task = asyncio.create_task(to_the_end(close()))
    await closing.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()
