"""The actions an agent has on a web page, as tools; what they do is `runtimes/web/page/page.py`'s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtimes.tools.base import Tool, ToolFunction, Workbench, parameters
from runtimes.tools.uploads import upload_file
from runtimes.web.page.actions import Direction
from runtimes.web.page.page import MAX_WAIT_SECONDS
from runtimes.web.page.reading import Form

FINISH = "finish"
"""Ends the episode as `complete_task` does, with the page as it was then in the record."""


async def goto(bench: Workbench, url: str) -> str:
    return await bench.on_page(lambda page: page.goto(url))


async def click(bench: Workbench, ref: str) -> str:
    return await bench.on_page(lambda page: page.click(ref))


async def double_click(bench: Workbench, ref: str) -> str:
    return await bench.on_page(lambda page: page.double_click(ref))


async def hover(bench: Workbench, ref: str) -> str:
    return await bench.on_page(lambda page: page.hover(ref))


async def fill(bench: Workbench, ref: str, text: str) -> str:
    return await bench.on_page(lambda page: page.fill(ref, text))


async def fill_and_submit(bench: Workbench, ref: str, text: str) -> str:
    return await bench.on_page(lambda page: page.fill_and_submit(ref, text))


async def type_keys(bench: Workbench, ref: str, text: str) -> str:
    return await bench.on_page(lambda page: page.type(ref, text))


async def press(bench: Workbench, key: str, ref: str | None = None) -> str:
    return await bench.on_page(lambda page: page.press(key, ref))


async def select(bench: Workbench, ref: str, value: str | Sequence[str]) -> str:
    return await bench.on_page(lambda page: page.select(ref, value))


async def check(bench: Workbench, ref: str, checked: bool = True) -> str:
    return await bench.on_page(lambda page: page.check(ref, checked))


async def upload(bench: Workbench, ref: str, name: str, content: str | None = None) -> str:
    file = upload_file(bench.task, name, content)
    return await bench.on_page(lambda page: page.upload(ref, [file]))


async def drag(bench: Workbench, ref: str, to_ref: str) -> str:
    return await bench.on_page(lambda page: page.drag(ref, to_ref))


async def scroll(bench: Workbench, direction: Direction, ref: str | None = None) -> str:
    return await bench.on_page(lambda page: page.scroll(direction, ref))


async def back(bench: Workbench) -> str:
    return await bench.on_page(lambda page: page.back())


async def forward(bench: Workbench) -> str:
    return await bench.on_page(lambda page: page.forward())


async def reload(bench: Workbench) -> str:
    return await bench.on_page(lambda page: page.reload())


async def tabs(bench: Workbench) -> str:
    return await bench.on_page(lambda page: page.tabs())


async def new_tab(bench: Workbench, url: str | None = None) -> str:
    return await bench.on_page(lambda page: page.new_tab(url))


async def switch_tab(bench: Workbench, tab: int) -> str:
    return await bench.on_page(lambda page: page.switch_tab(tab))


async def close_tab(bench: Workbench, tab: int | None = None) -> str:
    return await bench.on_page(lambda page: page.close_tab(tab))


async def wait_for(
    bench: Workbench, text: str | None = None, gone: bool = False, seconds: float = 5.0
) -> str:
    return await bench.on_page(lambda page: page.wait_for(text, gone=gone, seconds=seconds))


async def extract(bench: Workbench, ref: str | None = None, form: Form = "text") -> str:
    return await bench.on_page(lambda page: page.extract(ref, form))


async def screenshot(bench: Workbench) -> str:
    return await bench.on_page(lambda page: page.screenshot())


async def finish(bench: Workbench, answer: str) -> str:
    if bench.open_page is None:
        return answer
    return await bench.on_page(lambda page: page.finish(answer))


_REF = {"type": "string", "description": "The element's ref in the latest snapshot, such as e12."}
_TEXT = {"type": "string", "description": "The text the field is to hold; it replaces what is there."}
_ADDRESS = {
    "type": "string",
    "description": "A whole http(s) address, or a path on this site such as /cart.",
}
_TAB = {"type": "integer", "minimum": 0, "description": "The tab's number as tabs lists it, from 0."}


def _string(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _action(function: ToolFunction, description: str, schema: dict[str, object], *, name: str = "") -> Tool:
    return Tool(name or function.__name__, description, schema, "browser_action", function)


PAGE_ACTIONS: tuple[Tool, ...] = (
    _action(
        goto,
        "Open an address in the current tab. Returns the new page.",
        parameters(url=_ADDRESS),
    ),
    _action(
        click,
        "Click a link, button, checkbox or other element of the current page. Returns the page after it.",
        parameters(ref=_REF),
    ),
    _action(
        double_click,
        "Double-click an element. Returns the page after it.",
        parameters(ref=_REF),
    ),
    _action(
        hover,
        "Move the mouse over an element, as to open a menu. Returns the page after it.",
        parameters(ref=_REF),
    ),
    _action(
        fill,
        "Put text into a field of the current page without submitting it. Returns the page after it.",
        parameters(ref=_REF, text=_TEXT),
    ),
    _action(
        fill_and_submit,
        "Put text into a field and press Enter in it, as for a search. Returns the page after it.",
        parameters(ref=_REF, text=_TEXT),
    ),
    _action(
        type_keys,
        "Type text key by key into an element without clearing it first, for fields that follow each key. "
        "Returns the page after it.",
        parameters(ref=_REF, text={"type": "string", "maxLength": 2000, "description": "What to type."}),
        name="type",
    ),
    _action(
        press,
        "Press a key or a combination. Returns the page after it.",
        parameters(
            ["key"],
            key=_string("Such as Enter, Escape, Tab, ArrowDown, PageDown, Control+a."),
            ref=_string("Where to press it; where the focus is if left out."),
        ),
    ),
    _action(
        select,
        "Choose one or several options of a drop-down list (a combobox or listbox). "
        "Returns the page after it.",
        parameters(
            ref=_REF,
            value={
                "type": ["string", "array"],
                "items": {"type": "string"},
                "description": "The option's label as the snapshot shows it, or a list of labels.",
            },
        ),
    ),
    _action(
        check,
        "Tick a checkbox, radio button or switch, or untick it. Returns the page after it.",
        parameters(["ref"], ref=_REF, checked={"type": "boolean", "description": "False to untick it."}),
    ),
    _action(
        upload,
        "Give a file to a file field, or to the button that asks for one. Returns the page after it.",
        parameters(
            ["ref", "name"],
            ref=_REF,
            name=_string("The name of one of the task's files, or of the file that content makes."),
            content=_string("The text of a file of your own; left out, the task's file is given."),
        ),
    ),
    _action(
        drag,
        "Drag one element onto another. Returns the page after it.",
        parameters(ref=_REF, to_ref=_string("The ref of the element to drop it on.")),
    ),
    _action(
        scroll,
        "Scroll the current page, or the box around an element. Returns the page after it.",
        parameters(
            ["direction"],
            direction={"type": "string", "enum": ["up", "down", "left", "right", "top", "bottom"]},
            ref=_string("An element in the box to scroll; the page if left out."),
        ),
    ),
    _action(back, "Go back to the page before this one. Returns that page.", parameters()),
    _action(forward, "Go forward again after going back. Returns that page.", parameters()),
    _action(reload, "Load the current page again. Returns it.", parameters()),
    _action(tabs, "List the open tabs, and look at the current page again.", parameters()),
    _action(
        new_tab,
        "Open a new tab, which is the current one then. Returns its page.",
        parameters([], url=_ADDRESS),
    ),
    _action(switch_tab, "Make another tab the current one. Returns its page.", parameters(tab=_TAB)),
    _action(
        close_tab,
        "Close the current tab, or another. Returns the page that is the current one then.",
        parameters([], tab=_TAB),
    ),
    _action(
        wait_for,
        "Wait until a text appears on the page or disappears from it, or for some seconds. "
        "Returns the page after it.",
        parameters(
            [],
            text=_string("The text to wait for; without one the seconds are simply waited."),
            gone={"type": "boolean", "description": "True to wait until the text has disappeared."},
            seconds={
                "type": "number",
                "minimum": 0,
                "maximum": MAX_WAIT_SECONDS,
                "description": "The longest wait; 5 if left out.",
            },
        ),
    ),
    _action(
        extract,
        "Read an element, or the whole page: its visible text, a table as lines of tab-separated cells, "
        "or its links with their addresses.",
        parameters(
            [],
            ref=_string("The element to read, such as e12; the whole page if left out."),
            form={"type": "string", "enum": ["text", "table", "links"], "description": "text if left out."},
        ),
    ),
    _action(
        screenshot,
        "Take a picture of what is visible now and keep it with the episode. Says its digest and size.",
        parameters(),
    ),
    _action(
        finish,
        "End the task with its final answer, found on the current page.",
        parameters(answer=_string("The value asked for, or what was done.")),
    ),
)
