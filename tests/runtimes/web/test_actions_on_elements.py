"""Each action as an agent calls it: through the tools, with what came of it in the next observation."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from runtimes.errors import ToolError
from runtimes.services import Services
from runtimes.tools.base import Workbench
from runtimes.tools.registry import grants
from runtimes.web.browser.pool import BrowserPool

from .episodes import ref_of, web_task
from .unruly import unruly_site

pytestmark = pytest.mark.asyncio(loop_scope="module")

Act = Callable[..., Awaitable[str]]
FILES = {"note.txt": "from the task", "dot.png": {"base64": base64.b64encode(b"\x89PNG").decode()}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[str]:
    async with unruly_site() as address:
        yield address


@pytest_asyncio.fixture(loop_scope="module")
async def act(pool: BrowserPool, site: str) -> AsyncIterator[Act]:
    """Calls a tool by name on a fresh playground; an argument 'button "X"' for a ref stands for its ref."""
    tools = {tool.name: tool for tool in grants()["browser"]}
    services = Services(model=None, sandboxes=None, browsers=pool)  # type: ignore[arg-type]
    task = web_task(start_url=site, allowed_domains=["127.0.0.1"], files=FILES)
    async with Workbench(task, services) as bench:
        seen = await (await bench.page()).observe()

        async def call(name: str, /, **arguments: object) -> str:
            nonlocal seen
            for key in {"ref", "to_ref"} & arguments.keys():
                arguments[key] = ref_of(seen, str(arguments[key]))
            answer = await tools[name].function(bench, **arguments)
            seen = answer if "URL: " in answer else seen
            return answer

        yield call


async def test_a_double_click_and_a_hover_reach_their_handlers(act: Act) -> None:
    assert "said: double" in await act("double_click", ref='button "Twice"')
    assert "said: hovered" in await act("hover", ref='button "Hover"')


async def test_typing_goes_key_by_key_where_filling_is_one_change(act: Act) -> None:
    assert "said: abc 3" in await act("type", ref='textbox "Letters"', text="abc")
    assert "said: new 4" in await act("fill", ref='textbox "Letters"', text="new")
    assert "said: newx 5" in await act("press", key="x")


async def test_a_checkbox_is_ticked_and_unticked_and_stays_as_it_is(act: Act) -> None:
    assert "said: checked true" in await act("check", ref='checkbox "Agree"')
    assert "did not change" in await act("check", ref='checkbox "Agree"')
    assert "said: checked false" in await act("check", ref='checkbox "Agree"', checked=False)


async def test_one_or_several_options_are_selected(act: Act) -> None:
    assert "said: M" in await act("select", ref='combobox "Size"', value="M")
    assert "said: red+blue" in await act("select", ref='listbox "Colours"', value=["red", "blue"])
    with pytest.raises(ToolError, match="one option only") as raised:
        await act("select", ref='combobox "Size"', value=["S", "M"])
    assert raised.value.error_class == "wrong_element"
    with pytest.raises(ToolError, match="'red', 'green', 'blue'") as raised:
        await act("select", ref='listbox "Colours"', value=["mauve"])
    assert raised.value.error_class == "no_option"


async def test_a_file_of_the_task_or_of_the_agents_own_text_is_uploaded(act: Act) -> None:
    field = 'button "Attachment"'
    assert "said: note.txt text/plain from the task" in await act("upload", ref=field, name="note.txt")
    assert "said: dot.png image/png" in await act("upload", ref=field, name="dot.png")
    seen = await act("upload", ref='button "Choose a file"', name="own.csv", content="a,b")
    assert "said: own.csv text/csv a,b" in seen


async def test_nothing_of_this_machine_can_be_uploaded(act: Act) -> None:
    for name in ("/etc/passwd", "../note.txt"):
        with pytest.raises(ToolError, match="has no file"):
            await act("upload", ref='button "Attachment"', name=name)
    seen = await act("upload", ref='button "Attachment"', name="/etc/passwd", content="mine")
    assert "said: passwd application/octet-stream mine" in seen
    with pytest.raises(ToolError) as raised:
        await act("upload", ref='button "Nothing"', name="note.txt")
    assert raised.value.error_class == "wrong_element"


async def test_an_element_is_dragged_onto_another(act: Act) -> None:
    assert "said: dropped" in await act("drag", ref='button "Card"', to_ref='button "Pile"')


async def test_a_box_is_scrolled_by_an_element_in_it(act: Act) -> None:
    assert "said: scrolled true" in await act("scroll", ref='button "In the box"', direction="bottom")
    assert "said: scrolled false" in await act("scroll", ref='button "In the box"', direction="top")


async def test_a_key_there_is_not_is_told(act: Act) -> None:
    with pytest.raises(ToolError, match="Unknown key") as raised:
        await act("press", key="NoSuchKey")
    assert raised.value.error_class == "other"


async def test_a_text_is_waited_for_until_it_comes_or_goes(act: Act) -> None:
    await act("click", ref='button "Later"')
    assert "said: later" in await act("wait_for", text="said: later")
    await act("click", ref='button "Remove"')
    await act("wait_for", text="going soon", gone=True)
    assert "going soon" not in await act("extract")
    with pytest.raises(ToolError, match="did not appear within") as raised:
        await act("wait_for", text="never said", seconds=0.2)
    assert raised.value.error_class == "action_timeout"
    assert "Title: Playground" in await act("wait_for", seconds=0.01)


async def test_an_action_without_effect_is_told(act: Act) -> None:
    assert "the page did not change" in await act("click", ref='button "Nothing"')


async def test_a_page_that_rewrites_its_address_does_not_lead_on(act: Act, site: str) -> None:
    seen = await act("click", ref='button "Push"')
    assert "said: moved" in seen
    assert f"URL: {site}?8" in seen


async def test_history_goes_back_and_forward_and_a_page_is_loaded_again(act: Act) -> None:
    await act("click", ref='link "The table"')
    assert "Title: Playground" in await act("back")
    assert "Title: Table" in await act("forward")
    assert "Title: Table" in await act("reload")
    with pytest.raises(ToolError) as raised:
        await act("forward")
    assert raised.value.error_class == "no_history"


async def test_tabs_are_opened_listed_switched_and_closed(act: Act, site: str) -> None:
    seen = await act("new_tab", url="/opened")
    assert "Title: Opened" in seen
    assert "A new window" not in seen
    assert "- 0: Playground" in await act("tabs")
    assert "Title: Playground" in await act("switch_tab", tab=0)
    with pytest.raises(ToolError, match="no tab 7") as raised:
        await act("switch_tab", tab=7)
    assert raised.value.error_class == "closed_tab"
    assert "Opened" not in await act("close_tab", tab=1)
    assert "URL: about:blank" in await act("close_tab")
    for _ in range(9):
        await act("new_tab")
    with pytest.raises(ToolError, match="10 tabs already"):
        await act("new_tab")


async def test_a_table_is_read_as_rows_and_links_with_whole_addresses(act: Act, site: str) -> None:
    await act("goto", url="/table")
    assert await act("extract", form="table") == "Name\tPrice\nTea\t$ 1\nCup blue\t$ 2"
    assert await act("extract", form="links") == f"Other\t{site}other#part\nHome\t{site}"
    assert "Cup blue" in await act("extract", ref="table")
    with pytest.raises(ToolError) as raised:
        await act("extract", ref='link "Home"', form="table")
    assert raised.value.error_class == "wrong_element"


async def test_a_screenshot_is_taken_and_an_answer_given_back(act: Act) -> None:
    assert "JPEG" in await act("screenshot")
    assert await act("finish", answer="forty-two") == "forty-two"
