"""The browser starts late, survives its own death and leaves nothing behind."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from runtimes.errors import ConfigurationError, InfrastructureError
from runtimes.web.browser import keeper
from runtimes.web.browser.pool import BrowserPool

from .episodes import SHOP, ref_of, web_task
from .processes import browsers, folders, is_gone, renderers


@pytest.fixture
async def pool() -> AsyncIterator[BrowserPool]:
    """A browser for one test, which may kill it."""
    async with BrowserPool(start_url=SHOP) as pool:
        yield pool


async def test_nothing_starts_before_the_first_page_and_nothing_is_left() -> None:
    async with BrowserPool(start_url=SHOP) as pool:
        assert browsers() == []
        async with pool.page(web_task()):
            (browser,) = browsers()
            family = [browser, *browser.children(recursive=True)]
    assert is_gone(*family)


async def test_a_killed_browser_is_our_failure_and_the_next_page_works(pool: BrowserPool) -> None:
    async with pool.page(web_task()) as page:
        ref = ref_of(await page.observe(), 'link "Tea"')
        browsers()[0].kill()
        with pytest.raises(InfrastructureError, match="browser died while clicking") as raised:
            await page.click(ref)
    assert raised.value.error_type == "browser_error"
    async with pool.page(web_task()) as page:
        assert "Welcome to The Shop" in await page.observe()


async def test_a_killed_driver_is_our_failure_and_the_next_page_works(pool: BrowserPool) -> None:
    async with pool.page(web_task()) as page:
        (driver,) = (p for p in psutil.Process().children() if p in browsers()[0].parents())
        driver.kill()
        with pytest.raises(InfrastructureError):
            await page.observe()
    async with pool.page(web_task()) as page:
        assert "Welcome to The Shop" in await page.observe()


async def test_a_driver_that_dies_after_its_browser_is_replaced(pool: BrowserPool) -> None:
    async with pool.page(web_task()):
        (browser,) = browsers()
        (driver,) = (p for p in psutil.Process().children() if p in browser.parents())
        browser.kill()
        assert is_gone(browser)
    driver.kill()
    assert is_gone(driver)
    async with pool.page(web_task()) as page:
        assert "Welcome to The Shop" in await page.observe()


async def test_a_dead_renderer_is_our_failure_and_the_next_page_works(pool: BrowserPool) -> None:
    async with pool.page(web_task()) as page:
        for process in renderers():
            process.kill()
        with pytest.raises(InfrastructureError, match="process died"):
            await page.observe()
    async with pool.page(web_task()) as page:
        assert "Welcome to The Shop" in await page.observe()


async def test_a_renderer_that_died_in_the_background_is_our_failure_once_its_tab_is_the_current_one(
    pool: BrowserPool,
) -> None:
    async with pool.page(web_task()) as page:
        first = renderers()
        await page.new_tab("http://shop.test/cart")
        for process in first:
            process.kill()
        assert "Cart" in await page.observe()
        with pytest.raises(InfrastructureError, match="died"):
            await page.switch_tab(0)


async def test_a_dead_renderer_disturbs_no_other_episode(pool: BrowserPool) -> None:
    async with pool.page(web_task()) as page:
        before = renderers()
        async with pool.page(web_task()) as doomed:
            for process in renderers() - before:
                process.kill()
            with pytest.raises(InfrastructureError, match="process died"):
                await doomed.observe()
            assert "Tea" in await page.click(ref_of(await page.observe(), 'link "Tea"'))
        assert "Tea" in await page.observe()


async def test_a_hung_driver_is_our_failure_and_is_replaced(
    pool: BrowserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pool.check()
    (browser,) = browsers()
    (driver,) = (p for p in psutil.Process().children() if p in browser.parents())
    driver.suspend()
    monkeypatch.setattr("runtimes.web.browser.contexts.CHECK_SECONDS", 0.5)
    monkeypatch.setattr("runtimes.web.browser.driver.CLOSE_SECONDS", 0.5)
    with pytest.raises(InfrastructureError, match="opening a context"):
        async with asyncio.timeout(60), pool.page(web_task()):
            pass
    monkeypatch.undo()
    assert is_gone(browser)
    async with pool.page(web_task()) as page:
        assert "Welcome to The Shop" in await page.observe()
    assert is_gone(driver)


async def test_a_browser_that_lost_its_keeper_is_replaced_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with BrowserPool(start_url=SHOP) as pool:
        async with pool.page(web_task()) as page:
            (old,) = browsers()
            (lost,) = (p for p in psutil.Process().children() if keeper.__file__ in p.cmdline())
            lost.kill()
            assert "Tea" in await page.click(ref_of(await page.observe(), 'link "Tea"'))
        async with pool.page(web_task()):
            assert is_gone(old)
    assert folders(tmp_path) == []


async def test_a_temporary_folder_that_takes_no_files_is_our_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    async with BrowserPool(start_url=SHOP) as pool:
        with pytest.raises(InfrastructureError, match="did not start") as raised:
            await pool.check()
        assert "TMPDIR" in raised.value.remedy
        monkeypatch.undo()
        await pool.check()


async def test_a_hung_browser_is_our_failure_and_is_replaced(
    pool: BrowserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pool.check()
    (hung,) = browsers()
    hung.suspend()
    monkeypatch.setattr("runtimes.web.browser.contexts.CHECK_SECONDS", 0.5)
    with pytest.raises(InfrastructureError, match="opening a context"):
        async with asyncio.timeout(60), pool.page(web_task()):
            pass
    monkeypatch.undo()
    assert is_gone(hung)
    async with pool.page(web_task()) as page:
        assert "Welcome to The Shop" in await page.observe()


async def test_a_browser_that_opens_no_page_is_our_failure_and_is_replaced(
    pool: BrowserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pool.check()
    (hung,) = browsers()
    for process in hung.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # the page just closed takes its renderer along
            process.suspend()
    monkeypatch.setattr("runtimes.web.browser.contexts.CHECK_SECONDS", 2)
    with pytest.raises(InfrastructureError, match="opening a page"):
        async with asyncio.timeout(60), pool.page(web_task()):
            pass
    monkeypatch.undo()
    assert is_gone(hung)
    async with pool.page(web_task()) as page:
        assert "Welcome to The Shop" in await page.observe()


async def test_cancellation_ends_an_episode_whose_browser_hangs(
    pool: BrowserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pool.check()
    (hung,) = browsers()
    hung.suspend()
    monkeypatch.setattr("runtimes.web.browser.contexts.CLOSE_SECONDS", 0.5)
    checking = asyncio.create_task(pool.check())
    await asyncio.wait({checking}, timeout=0.2)
    checking.cancel()
    await asyncio.wait({checking}, timeout=60)
    assert checking.cancelled()
    assert is_gone(hung)
    await pool.check()


async def test_cancellation_closes_the_context_and_frees_its_place() -> None:
    opened = asyncio.Event()

    async def episode(pool: BrowserPool) -> None:
        async with pool.page(web_task()):
            opened.set()
            await asyncio.Event().wait()

    async with BrowserPool(max_contexts=1, start_url=SHOP) as pool:
        running = asyncio.create_task(episode(pool))
        await opened.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        async with asyncio.timeout(60), pool.page(web_task()) as page:
            assert "Welcome to The Shop" in await page.observe()


async def test_cancellation_during_the_start_leaves_a_browser_that_works_and_can_be_closed() -> None:
    async with BrowserPool(start_url=SHOP) as pool:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.check(), 0.05)
        await pool.check()
        (browser,) = browsers()
    assert not browser.is_running()


async def test_health_says_whether_a_page_could_be_opened(
    pool: BrowserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await pool.health()).healthy
    async with BrowserPool() as without:
        monkeypatch.setattr("runtimes.web.browser.chromium.EXECUTABLES", ("no-such-browser",))
        health = await without.health()
        assert not health.healthy
        assert "apt-get install" in health.detail
        with pytest.raises(ConfigurationError):
            await without.check()
