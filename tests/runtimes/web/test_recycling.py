"""A browser is replaced in time, and never under an episode."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from runtimes.errors import InfrastructureError
from runtimes.web.browser import fleet
from runtimes.web.browser.pool import BrowserPool

from .episodes import SHOP, ref_of, web_task
from .processes import browsers, folders, is_gone, renderers


async def test_after_its_episodes_a_browser_finishes_what_runs_and_goes() -> None:
    async with BrowserPool(start_url=SHOP, recycle_episodes=2) as pool:
        async with pool.page(web_task()):
            pass
        (old,) = browsers()
        async with pool.page(web_task()) as page:
            async with pool.page(web_task()) as next_page:
                assert len(browsers()) == 2
                assert "Welcome to The Shop" in await next_page.observe()
            seen = await page.observe()
            assert "Tea" in await page.click(ref_of(seen, 'link "Tea"'))
        assert is_gone(old)
        assert len(browsers()) == 1


async def test_a_browser_that_has_grown_while_empty_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "GROWTH_MB", -10_000.0)
    monkeypatch.setattr("runtimes.web.browser.memory._LEAST_AGE_SECONDS", 0.0)
    monkeypatch.setattr("runtimes.web.browser.memory._SHARE_OF_TIME", 1e9)
    async with BrowserPool(start_url=SHOP) as pool:
        async with pool.page(web_task()):
            (old,) = browsers()
        async with pool.page(web_task()):
            assert old not in browsers()


async def test_a_replaced_browser_that_died_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with BrowserPool(start_url=SHOP, recycle_episodes=1) as pool:
        async with AsyncExitStack() as first:
            page = await first.enter_async_context(pool.page(web_task()))
            (old,) = browsers()
            assert len(folders(tmp_path)) == 1
            async with pool.page(web_task()):
                old.kill()
                with pytest.raises(InfrastructureError):
                    await page.observe()
                await first.aclose()
                assert is_gone(old)
        await pool.check()
    assert folders(tmp_path) == []


async def test_of_twenty_episodes_none_is_lost_when_the_browser_is_killed_in_the_middle() -> None:
    killed = False

    async def episode(pool: BrowserPool, number: int) -> None:
        nonlocal killed
        for _ in range(2):
            try:
                async with pool.page(web_task()) as page:
                    seen = await page.observe()
                    if number == 10 and not killed:
                        killed = True
                        browsers()[0].kill()
                    seen = await page.click(ref_of(seen, 'link "Tea"'))
                    assert "Tea" in seen
                    return
            except InfrastructureError:
                continue
        raise AssertionError(f"episode {number} was lost")

    async with BrowserPool(max_contexts=8, start_url=SHOP) as pool:
        tasks = asyncio.all_tasks()
        await asyncio.gather(*(episode(pool, number) for number in range(20)))
        assert killed
        assert len(browsers()) == 1
        assert len(renderers()) <= 1  # a spare one of Chromium's, no context's
    assert browsers() == []
    assert asyncio.all_tasks() - tasks == set()
