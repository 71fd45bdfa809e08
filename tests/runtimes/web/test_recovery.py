"""A browser that dies under an episode: the episode is run again, or goes on where its task allows that."""

from __future__ import annotations

from collections.abc import Callable, Collection

import psutil
import pytest

from runtimes.contracts import TaskSpec
from runtimes.errors import InfrastructureError, ToolError
from runtimes.services import Services
from runtimes.tools.base import MAX_DEATHS, Workbench
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.page.page import WebPage

from .episodes import SHOP, ref_of, web_task
from .processes import browsers, renderers

pytestmark = pytest.mark.asyncio(loop_scope="module")


def workbench(pool: BrowserPool, task: TaskSpec) -> Workbench:
    return Workbench(task, Services(model=None, sandboxes=None, browsers=pool))  # type: ignore[arg-type]


async def look(page: WebPage) -> str:
    return await page.observe()


async def test_an_episode_is_not_resumed_unless_its_task_says_so(pool: BrowserPool) -> None:
    async with workbench(pool, web_task()) as bench:
        await bench.on_page(look)
        browsers()[0].kill()
        with pytest.raises(InfrastructureError, match="died"):
            await bench.on_page(look)


@pytest.mark.parametrize("victims", [browsers, renderers])
async def test_an_episode_goes_on_with_its_cookies_and_address_after_a_death(
    pool: BrowserPool, victims: Callable[[], Collection[psutil.Process]]
) -> None:
    async with workbench(pool, web_task(recovery="resume")) as bench:
        seen = await bench.on_page(lambda page: page.goto("/product/132"))
        button = ref_of(seen, 'button "Add to cart"')
        seen = await bench.on_page(lambda page: page.click(button))
        for victim in victims():
            victim.kill()
        with pytest.raises(ToolError, match="not known") as raised:
            await bench.on_page(look)
        assert raised.value.error_type == "browser_error"
        assert "Two Person Tent" in await bench.on_page(look)
        assert bench.open_page is not None
        assert bench.open_page.url.startswith(SHOP)
        assert "Two Person Tent" in await bench.on_page(lambda page: page.goto("/cart"))


async def test_refs_of_the_browser_that_died_find_nothing_in_the_next(pool: BrowserPool) -> None:
    async with workbench(pool, web_task(recovery="resume")) as bench:
        ref = ref_of(await bench.on_page(look), 'link "Tea"')
        browsers()[0].kill()
        for error_class in ("crashed", "stale_ref"):
            with pytest.raises(ToolError) as raised:
                await bench.on_page(lambda page: page.click(ref))
            assert raised.value.error_class == error_class
        assert "Welcome to The Shop" in await bench.on_page(look)


async def test_storage_of_the_site_and_of_the_tab_come_back_once(
    pool: BrowserPool, awkward_site: str
) -> None:
    async def remember(page: WebPage) -> str:
        await page.current.evaluate(
            "localStorage.setItem('site', 'kept'); sessionStorage.setItem('tab', 'kept')"
        )
        return ""

    async def read(page: WebPage) -> str:
        found: str = await page.current.evaluate("`${localStorage.site} ${sessionStorage.tab}`")
        return found

    async def forget(page: WebPage) -> str:
        await page.current.evaluate("sessionStorage.clear()")
        return await page.goto("/opened")

    task = web_task(start_url=awkward_site, allowed_domains=["127.0.0.1"], recovery="resume")
    async with workbench(pool, task) as bench:
        await bench.on_page(remember)
        browsers()[0].kill()
        with pytest.raises(ToolError):
            await bench.on_page(look)
        assert await bench.on_page(read) == "kept kept"
        await bench.on_page(forget)
        assert await bench.on_page(read) == "kept undefined"


async def test_a_page_that_kills_every_browser_ends_the_episode(pool: BrowserPool) -> None:
    async def kill(page: WebPage) -> str:
        browsers()[0].kill()
        return await page.observe()

    async with workbench(pool, web_task(recovery="resume")) as bench:
        for _ in range(MAX_DEATHS):
            with pytest.raises(ToolError):
                await bench.on_page(kill)
        with pytest.raises(InfrastructureError):
            await bench.on_page(kill)


async def test_a_recovery_that_is_none_fails_the_task_with_the_way_out(pool: BrowserPool) -> None:
    async with workbench(pool, web_task(recovery="sometimes")) as bench:
        with pytest.raises(ToolError, match="'restart' or 'resume'") as raised:
            await bench.page()
    assert raised.value.error_type == "system_error"
