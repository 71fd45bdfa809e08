"""Bad input: every way an element or an address can fail has its class, and the agent goes on after it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from runtimes.contracts import TaskSpec
from runtimes.errors import ToolError
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.page.page import WebPage

from .episodes import SHOP, ref_of, web_task
from .unruly import unruly_site

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[str]:
    async with unruly_site() as address:
        yield address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def patient() -> AsyncIterator[BrowserPool]:
    """A browser that waits longer than any machine takes, for what comes to an end by itself."""
    async with BrowserPool(navigation_seconds=15, action_seconds=30, start_url=SHOP) as pool:
        yield pool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def soon_tired() -> AsyncIterator[BrowserPool]:
    """A browser that tries no action for long, for elements on which none succeeds."""
    async with BrowserPool(navigation_seconds=30, action_seconds=1, start_url=SHOP) as pool:
        yield pool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hasty() -> AsyncIterator[BrowserPool]:
    """A browser that waits for no page for long, for pages that never come as a whole."""
    async with BrowserPool(navigation_seconds=3, action_seconds=1, start_url=SHOP) as pool:
        yield pool


@pytest.fixture
def unruly(site: str) -> TaskSpec:
    return web_task(start_url=f"{site}unruly", allowed_domains=["127.0.0.1"])


@pytest_asyncio.fixture(loop_scope="module")
async def page(patient: BrowserPool, unruly: TaskSpec) -> AsyncIterator[WebPage]:
    async with patient.page(unruly) as page:
        yield page


@pytest_asyncio.fixture(loop_scope="module")
async def tired_page(soon_tired: BrowserPool, unruly: TaskSpec) -> AsyncIterator[WebPage]:
    async with soon_tired.page(unruly) as page:
        yield page


async def goes_on(page: WebPage) -> None:
    assert "Welcome to The Shop" in await page.goto(SHOP)
    record = page.take_record()
    assert record is not None
    assert record.error_class == ""


@pytest.mark.parametrize(
    ("element", "error_class", "said"),
    [
        ('button "Covered"', "covered", "cover</div> intercepts pointer events"),
        ('button "Mover"', "moving", "not stable"),
        ('button "Detacher"', "detached", "detached"),
        ('button "Disabled"', "disabled", "not enabled"),
        ('button "Off"', "not_visible", "outside of the viewport"),
    ],
)
async def test_a_click_that_fails_says_why(
    tired_page: WebPage, element: str, error_class: str, said: str
) -> None:
    seen = await tired_page.observe()
    with pytest.raises(ToolError, match=said) as raised:
        await tired_page.click(ref_of(seen, element))
    assert raised.value.error_class == error_class
    record = tired_page.take_record()
    assert record is not None
    assert record.error_class == error_class
    await goes_on(tired_page)


async def test_filling_what_is_no_field_is_a_wrong_element(tired_page: WebPage) -> None:
    seen = await tired_page.observe()
    for element, error_class in (('button "Covered"', "wrong_element"), ('textbox "Read only"', "disabled")):
        with pytest.raises(ToolError) as raised:
            await tired_page.fill(ref_of(seen, element), "text")
        assert raised.value.error_class == error_class
    with pytest.raises(ToolError) as raised:
        await tired_page.check(ref_of(seen, 'textbox "Read only"'))
    assert raised.value.error_class == "wrong_element"


async def test_a_ref_of_a_closed_tab_is_refused_in_the_one_before_it(page: WebPage) -> None:
    seen = await page.click(ref_of(await page.observe(), 'link "New tab"'))
    assert "Title: Opened" in seen
    await page._watch.page.close()
    with pytest.raises(ToolError, match="Call tabs") as raised:
        await page.click("e2")
    assert raised.value.error_class == "closed_tab"
    assert "Title: Unruly" in await page.tabs()


async def test_dialogs_are_answered_and_recorded(page: WebPage) -> None:
    seen = await page.click(ref_of(await page.observe(), 'button "Ask"'))
    assert "Ann" in seen
    record = page.take_record()
    assert record is not None
    assert record.dialogs == [
        {"type": "alert", "message": "one", "answer": "accepted"},
        {"type": "alert", "message": "two", "answer": "accepted"},
        {"type": "prompt", "message": "name?", "answer": "accepted"},
    ]


async def test_a_storm_of_dialogs_is_dismissed_and_said_once(page: WebPage) -> None:
    seen = await page.click(ref_of(await page.observe(), 'button "Storm"'))
    assert seen.count("a storm of dialogs") == 1
    assert "after the storm" in seen
    record = page.take_record()
    assert record is not None
    assert len(record.dialogs) == 11
    assert "storm" in record.dialogs[-1]["answer"]


async def test_dialogs_without_end_close_the_page_and_the_agent_goes_on(page: WebPage) -> None:
    with pytest.raises(ToolError, match="closed") as raised:
        await page.click(ref_of(await page.observe(), 'button "Endless alerts"'))
    assert raised.value.error_class == "hanging"
    await goes_on(page)


async def test_a_script_without_end_is_a_page_that_hangs(tired_page: WebPage) -> None:
    with pytest.raises(ToolError, match="stopped answering") as raised:
        await tired_page.click(ref_of(await tired_page.observe(), 'button "Spin"'))
    assert raised.value.error_class == "hanging"
    await goes_on(tired_page)


async def test_of_fifty_windows_ten_stay_and_the_rest_is_said_once(page: WebPage) -> None:
    seen = await page.click(ref_of(await page.observe(), 'button "Popups"'))
    assert seen.count("Further windows were closed at once") == 1
    record = page.take_record()
    assert record is not None
    assert len(record.popups) == 9
    assert record.popups[0].endswith("/opened?0")
    await goes_on(page)


@pytest.mark.parametrize(
    ("link", "error_class"),
    [("Never", "navigation_timeout"), ("Large", "too_large"), ("Loop", "redirect_loop")],
)
async def test_a_link_that_leads_to_no_page_is_classified(
    patient: BrowserPool, hasty: BrowserPool, unruly: TaskSpec, link: str, error_class: str
) -> None:
    pool = hasty if error_class in {"navigation_timeout", "too_large"} else patient
    async with pool.page(unruly) as page:
        with pytest.raises(ToolError) as raised:
            await page.click(ref_of(await page.observe(), f'link "{link}"'))
        assert raised.value.error_class == error_class
        await goes_on(page)


async def test_a_download_and_refused_requests_are_recorded(page: WebPage, site: str) -> None:
    seen = await page.click(ref_of(await page.observe(), 'link "File"'))
    record = page.take_record()
    assert record is not None
    assert record.downloads == [f"{site}file"]
    seen = await page.click(ref_of(seen, 'link "Private"'))
    assert "was not opened" in seen
    record = page.take_record()
    assert record is not None
    assert record.blocked == ["http://10.1.2.3/"]
    await page.click(ref_of(seen, 'button "Call"'))
    record = page.take_record()
    assert record is not None
    assert record.blocked == ["http://10.1.2.3/x"]


@pytest.mark.parametrize(
    ("start", "error_class"),
    [
        ("http://no-such-host.invalid/", "name_not_resolved"),
        ("http://127.0.0.1:9999/", "connection_failed"),
        ("http://192.168.0.1/", "refused_address"),
        ("file:///etc/passwd", "refused_address"),
        ("javascript:alert(1)", "refused_address"),
        ("about:blank", "refused_address"),
        ("http://", "refused_address"),
        ("not an address", "refused_address"),
        ("{site}loop", "redirect_loop"),
        ("{site}on", "redirect_loop"),
        ("{site}large", "too_large"),
        ("{site}file", "not_a_page"),
        ("{site}never", "navigation_timeout"),
        ("{site}unfinished", "navigation_timeout"),
        ("{site}alerts", "hanging"),
    ],
)
async def test_a_start_address_that_is_no_page_is_a_classified_fault(
    patient: BrowserPool, hasty: BrowserPool, site: str, start: str, error_class: str
) -> None:
    pool = hasty if error_class in {"navigation_timeout", "too_large"} else patient
    task = web_task(start_url=start.format(site=site), allowed_domains=["127.0.0.1", "no-such-host.invalid"])
    async with pool.page(task) as page:
        assert page.start_record is not None
        assert page.start_record.error_class == error_class
        with pytest.raises(ToolError) as raised:
            await page.observe()
        assert raised.value.error_class == error_class
        await goes_on(page)


async def test_a_start_page_of_fifty_windows_leaves_ten(patient: BrowserPool, site: str) -> None:
    async with patient.page(web_task(start_url=f"{site}popups", allowed_domains=["127.0.0.1"])) as page:
        seen = await page.observe()
        for _ in range(100):  # they are opened once the page has loaded
            if "Further windows were closed at once" in seen:
                break
            seen = await page.wait_for(seconds=0.1)
        else:
            pytest.fail("nothing was said of the windows")
        await goes_on(page)


async def test_a_large_document_that_does_not_say_so_is_no_trap(patient: BrowserPool, site: str) -> None:
    start = f"{site}large?chunked"
    async with patient.page(web_task(start_url=start, allowed_domains=["127.0.0.1"])) as page:
        with pytest.raises(ToolError) as raised:
            await page.observe()
        assert raised.value.error_class in {"too_large", "navigation_timeout", "hanging"}
        await goes_on(page)
