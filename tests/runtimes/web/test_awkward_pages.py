"""What sites do to a browser, and what the agent is told of it."""

from __future__ import annotations

import pytest

from runtimes.contracts import TaskSpec
from runtimes.errors import ToolError
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.observation.snapshot import BUDGET
from runtimes.web.page.settle import LOAD_SECONDS

from .episodes import SHOP, ref_of, web_task

LIES = """
performance.getEntriesByType = () => [{decodedBodySize: 'much'}];
const label = {trim: () => ({replace: () => ({})})};
Object.defineProperty(HTMLSelectElement.prototype, 'options', {get: () => [{label, value: 1}]});"""

IN_A_SHADOW_ROOT = """() => {
  const root = document.body.appendChild(document.createElement('div')).attachShadow({mode: 'open'});
  root.innerHTML = '<div></div>';
  const inner = root.firstChild.attachShadow({mode: 'open'});
  inner.innerHTML = '<button>Count</button><p>nothing yet</p>';
  inner.querySelector('button').onclick = () => {
    let n = 0;
    const timer = setInterval(() => {
      inner.querySelector('p').textContent = ++n < 25 ? `${n}` : 'all done';
      if (n === 25) clearInterval(timer);
    }, 8);
  };
}"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_stale_ref_is_named_and_does_not_wait_out_the_limit(
    pool: BrowserPool, awkward_task: TaskSpec
) -> None:
    async with pool.page(awkward_task) as page:
        ref = ref_of(await page.observe(), 'button "Vanish"')
        await page.click(ref)
        with pytest.raises(ToolError, match=f"no {ref} any more; it was button") as raised:
            await page.click(ref)
        assert raised.value.error_type == "browser_error"
        with pytest.raises(ToolError, match="not a ref"):
            await page.click("e1 >> button")


async def test_an_element_that_cannot_be_clicked_says_what_covers_it(
    pool: BrowserPool, awkward_task: TaskSpec
) -> None:
    async with pool.page(awkward_task) as page:
        ref = ref_of(await page.observe(), 'button "Covered"')
        with pytest.raises(ToolError, match="intercepts pointer events") as raised:
            await page.click(ref)
        assert raised.value.error_type == "browser_error"
        assert raised.value.error_class == "covered"


async def test_a_dialog_is_answered_and_told(pool: BrowserPool, awkward_task: TaskSpec) -> None:
    async with pool.page(awkward_task) as page:
        seen = await page.click(ref_of(await page.observe(), 'button "Ask"'))
        assert "A dialog (confirm) said 'Are you sure?' and was answered with OK." in seen
        assert "Title: sure" in seen
        assert "dialog" not in await page.observe()


@pytest.mark.parametrize("name", ["setTimeout", "MutationObserver"])
async def test_a_page_with_a_clock_of_its_own_does_not_keep_a_step_from_ending(
    pool: BrowserPool, awkward_task: TaskSpec, name: str
) -> None:
    async with pool.page(awkward_task) as page:
        ref = ref_of(await page.observe(), 'button "Ask"')
        await page.current.evaluate(f"window.{name} = function () {{ return {{observe() {{}}}} }}; 0")
        assert "Title: sure" in await page.click(ref)


async def test_an_action_waits_for_the_calls_it_made(pool: BrowserPool, awkward_task: TaskSpec) -> None:
    async with pool.page(awkward_task) as page:
        assert "the slow answer" in await page.click(ref_of(await page.observe(), 'button "Fetch"'))


async def test_an_action_waits_for_no_calls_of_another_tab(pool: BrowserPool, awkward_task: TaskSpec) -> None:
    async with pool.page(awkward_task) as page:
        await page.current.evaluate("void setInterval(() => void fetch('/never'), 50)")
        await page.new_tab(SHOP)
        page.take_record()
        await page.wait_for(seconds=0.2)
        record = page.take_record()
        assert record is not None
        assert record.timings_ms["settle"] < LOAD_SECONDS * 1000


async def test_an_action_waits_for_what_it_set_off_in_a_shadow_root(pool: BrowserPool) -> None:
    async with pool.page(web_task()) as page:
        await page.current.evaluate(IN_A_SHADOW_ROOT)
        assert "all done" in await page.click(ref_of(await page.observe(), 'button "Count"'))


async def test_a_new_window_becomes_the_page_and_back_returns(
    pool: BrowserPool, awkward_task: TaskSpec
) -> None:
    async with pool.page(awkward_task) as page:
        seen = await page.click(ref_of(await page.observe(), 'link "Open a window"'))
        assert "A new window was opened" in seen
        assert "the opened window" in seen
        assert "Title: Awkward" in await page.back()


async def test_the_first_tab_is_never_closed_for_want_of_a_history(pool: BrowserPool) -> None:
    async with pool.page(web_task()) as page:
        await page.new_tab(f"{SHOP}cart")
        await page.switch_tab(0)
        with pytest.raises(ToolError, match="no page to go back to"):
            await page.back()
        assert "- 0: Welcome to The Shop" in await page.tabs()


async def test_an_element_in_a_frame_is_acted_on(pool: BrowserPool, awkward_task: TaskSpec) -> None:
    async with pool.page(awkward_task) as page:
        assert "pushed" in await page.click(ref_of(await page.observe(), 'button "Push"'))


async def test_an_option_that_is_not_there_is_answered_with_those_that_are(pool: BrowserPool) -> None:
    async with pool.page(web_task(start_url=f"{SHOP}orders")) as page:
        ref = ref_of(await page.observe(), 'combobox "Status"')
        with pytest.raises(ToolError, match="'Cancelled'"):
            await page.select(ref, "Lost")


async def test_what_a_page_tells_of_itself_in_wrong_types_is_no_fault_of_ours(pool: BrowserPool) -> None:
    async with pool.page(web_task()) as page:
        await page.current.add_init_script(LIES)
        ref = ref_of(await page.goto(f"{SHOP}orders"), 'combobox "Status"')
        with pytest.raises(ToolError) as raised:
            await page.select(ref, "Shipped")
        assert raised.value.error_class == "wrong_element"


async def test_a_page_that_spins_times_out_and_the_episode_goes_on(
    pool: BrowserPool, awkward_task: TaskSpec
) -> None:
    async with pool.page(awkward_task) as page:
        with pytest.raises(ToolError) as raised:
            await page.click(ref_of(await page.observe(), 'button "Spin"'))
        assert raised.value.error_type == "timeout"
        assert "Welcome to The Shop" in await page.goto(SHOP)


async def test_a_page_that_never_answers_is_a_timeout(awkward_task: TaskSpec, awkward_site: str) -> None:
    async with BrowserPool(navigation_seconds=3, action_seconds=1) as pool:
        async with pool.page(
            web_task(start_url=f"{awkward_site}never", allowed_domains=["127.0.0.1"])
        ) as page:
            with pytest.raises(ToolError) as raised:
                await page.observe()
            assert raised.value.error_type == "timeout"
        async with pool.page(awkward_task) as page:
            ref = ref_of(await page.observe(), 'link "Never answers"')
            with pytest.raises(ToolError) as raised:
                await page.click(ref)
            assert raised.value.error_type == "timeout"
            assert "Title: Awkward" in await page.observe()


async def test_a_start_page_that_does_not_load_is_told_once_and_can_be_left(pool: BrowserPool) -> None:
    async with pool.page(web_task(start_url="http://no-such-host.invalid/")) as page:
        with pytest.raises(ToolError, match="could not be opened") as raised:
            await page.observe()
        assert raised.value.error_type == "network_error"
        assert raised.value.error_class == "name_not_resolved"
        assert "Welcome to The Shop" in await page.goto(SHOP)


async def test_addresses_of_any_length_are_told_in_short(pool: BrowserPool) -> None:
    async with pool.page(web_task()) as page:
        await page.observe()
        await page.current.evaluate(
            "() => { history.replaceState(null, '', '/' + 'a'.repeat(100_000));"
            " const link = document.body.appendChild(document.createElement('a'));"
            " link.href = 'data:text/csv,' + 'b'.repeat(100_000); link.download = 'all.csv'; link.click() }"
        )
        for _ in range(100):
            seen = await page.wait_for(seconds=0.1)
            if "A download was refused" in seen:
                break
        assert "A download was refused: data:text/csv,bbb" in seen
        assert len(seen) < BUDGET + 5_000


async def test_a_download_is_refused_and_told(pool: BrowserPool, awkward_task: TaskSpec) -> None:
    async with pool.page(awkward_task) as page:
        seen = await page.click(ref_of(await page.observe(), 'link "A file"'))
        assert "A download was refused" in seen
        assert "Title: Awkward" in seen


async def test_a_long_page_is_shown_as_far_as_the_viewport_reaches(
    pool: BrowserPool, awkward_site: str, awkward_task: TaskSpec
) -> None:
    async with pool.page(awkward_task) as page:
        seen = await page.goto(f"{awkward_site}long")
        assert len(seen) < BUDGET + 500
        assert "scroll to see them" in seen
        assert '"Paragraph 0"' in seen
        assert '"Paragraph 599"' not in seen
        seen = await page.scroll("bottom")
        assert '"Paragraph 599"' in seen
        assert '"Paragraph 0"' not in seen
        assert "Paragraph 0" in await page.extract()
