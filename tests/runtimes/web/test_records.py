"""The record that each step on a page leaves in the trajectory."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtimes.builtin import WebRuntime
from runtimes.contracts import WebRecord
from runtimes.errors import ToolError
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.page.page import WebPage
from runtimes.web.page.screenshots import ScreenshotStore
from sandbox import SandboxPool
from tests.runtimes.scripted import ScriptedModel, call, says

from .episodes import SHOP, ref_of, web_task
from .unruly import unruly_site

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> ScreenshotStore:
    return ScreenshotStore(tmp_path_factory.mktemp("screenshots"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(pictures: ScreenshotStore) -> AsyncIterator[BrowserPool]:
    async with BrowserPool(
        navigation_seconds=5, action_seconds=1, start_url=SHOP, screenshots=pictures
    ) as pool:
        yield pool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[str]:
    async with unruly_site() as address:
        yield address


def taken(page: WebPage) -> WebRecord:
    record = page.take_record()
    assert record is not None
    assert page.take_record() is None
    return record


def is_picture(pictures: ScreenshotStore, digest: str) -> bool:
    jpeg = Path(pictures.path(digest)).read_bytes()
    return jpeg.startswith(b"\xff\xd8") and hashlib.sha256(jpeg).hexdigest() == digest


async def test_a_click_is_recorded_so_that_it_can_be_done_again(
    pool: BrowserPool, pictures: ScreenshotStore
) -> None:
    async with pool.page(web_task(start_url=f"{SHOP}coupon")) as page:
        seen = await page.observe()
        ref = ref_of(seen, 'textbox "Coupon code"')
        await page.fill_and_submit(ref, "TEA2024")
        record = taken(page)
        assert record.ref == ref
        assert ref not in record.locator
        assert record.box is not None
        assert all(edge > 0 for edge in record.box)
        assert record.url_before == f"{SHOP}coupon"
        assert record.url_after.startswith(f"{SHOP}coupon")
        assert record.page_changed is True
        assert record.error_class == ""
        assert {"resolve", "act", "settle", "observe", "screenshot"} <= record.timings_ms.keys()
        assert is_picture(pictures, record.screenshot)
        assert len(record.snapshot) == 64
    async with pool.page(web_task(start_url=f"{SHOP}coupon")) as page:
        await page.observe()
        assert await page._watch.page.locator(record.locator).count() == 1


async def test_the_start_page_has_a_record_once_it_was_seen(
    pool: BrowserPool, pictures: ScreenshotStore
) -> None:
    async with pool.page(web_task()) as page:
        await page.observe()
        start = page.start_record
        assert start is not None
        assert start.url_after == SHOP
        assert is_picture(pictures, start.screenshot)
        assert len(start.snapshot) == 64
        assert page.take_record() is None


async def test_a_failed_action_has_a_record_with_its_class(pool: BrowserPool, site: str) -> None:
    async with pool.page(web_task(start_url=f"{site}unruly", allowed_domains=["127.0.0.1"])) as page:
        ref = ref_of(await page.observe(), 'button "Covered"')
        with pytest.raises(ToolError):
            await page.click(ref)
        record = taken(page)
        assert (record.error_class, record.ref) == ("covered", ref)
        assert "Covered" in record.locator
        with pytest.raises(ToolError):
            await page.click("e9999")
        assert taken(page).error_class == "stale_ref"


async def test_a_drag_is_recorded_with_both_its_ends(pool: BrowserPool, site: str) -> None:
    async with pool.page(web_task(start_url=site, allowed_domains=["127.0.0.1"])) as page:
        seen = await page.observe()
        await page.drag(ref_of(seen, 'button "Card"'), ref_of(seen, 'button "Pile"'))
        record = taken(page)
        assert "Card" in record.locator
        assert "Pile" in record.to_locator


async def test_tabs_and_popups_are_recorded(pool: BrowserPool, site: str) -> None:
    async with pool.page(web_task(start_url=site, allowed_domains=["127.0.0.1"])) as page:
        seen = await page.click(ref_of(await page.observe(), 'link "Another tab"'))
        assert "Title: Opened" in seen
        record = taken(page)
        assert record.popups == [f"{site}opened"]
        assert (record.tab, record.url_before, record.url_after) == (0, site, f"{site}opened")
        await page.reload()
        assert taken(page).tab == 1


async def test_the_picture_shows_the_page_after_what_the_action_set_off(
    pool: BrowserPool, pictures: ScreenshotStore, site: str
) -> None:
    """A picture taken too early shows the old page; the same page later gives the same picture."""
    async with pool.page(web_task(start_url=site, allowed_domains=["127.0.0.1"])) as page:
        await page.click(ref_of(await page.observe(), 'link "The table"'))
        shown = taken(page).screenshot
        await page.wait_for(seconds=0.1)
        assert taken(page).screenshot == shown


async def test_what_is_observed_later_is_seen_and_pictured_as_it_is_then(pool: BrowserPool) -> None:
    """Not as it was when the page had just opened, of which a look and a picture were begun."""
    async with pool.page(web_task()) as page:
        await page.current.evaluate("document.querySelector('h1').textContent = 'Changed since'")
        await asyncio.sleep(0.2)
        assert "Changed since" in await page.observe()
        await assert_pictured(page)
    async with pool.page(web_task()) as page:
        async with page.current.context.expect_page() as opened:
            await page.current.evaluate("window.open('/cart')")
        await (await opened.value).wait_for_load_state()
        assert "Your cart is empty" in await page.observe()
        await assert_pictured(page)


async def assert_pictured(page: WebPage) -> None:
    """That the picture of the start is one of the page as it still is."""
    assert page.start_record is not None
    await page.screenshot()
    assert page.start_record.screenshot == taken(page).screenshot


async def test_an_episode_keeps_the_record_of_every_step_and_of_its_start(pool: BrowserPool) -> None:
    model = ScriptedModel(
        says(None, call("goto", {"url": f"{SHOP}cart"}, "c1")),
        says(None, call("click", {"ref": "nothing"}, "c2")),
        says(None, call("goto", {"address": "?"}, "c3")),
        says(None, call("finish", {"answer": "empty"}, "c4")),
    )
    services = Services(model, SandboxPool(slots=1), pool)
    trajectory = await WebRuntime(services).execute(web_task(), round="r")
    assert trajectory.final_result == "empty"
    assert trajectory.error_type is None
    opened, failed, malformed, finished = trajectory.steps
    assert opened.web is not None
    assert (opened.web.url_before, opened.web.url_after) == (SHOP, f"{SHOP}cart")
    assert failed.web is not None
    assert failed.web.error_class == "not_a_ref"
    assert malformed.web is None
    assert finished.web is not None
    assert finished.web.screenshot
    assert finished.observation is None
    assert trajectory.metadata["start_page"]["url_after"] == SHOP
    json.dumps(trajectory.metadata)
