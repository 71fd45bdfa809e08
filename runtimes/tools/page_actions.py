"""The actions an agent has on a web page, as tools; what they do is `runtimes/web/page.py`'s."""

from __future__ import annotations

from typing import Literal

from runtimes.tools.base import Tool, ToolFunction, Workbench, parameters

_REF = {"type": "string", "description": "The element's ref in the latest snapshot, such as e12."}
_TEXT = {"type": "string", "description": "The text the field is to hold; it replaces what is there."}


async def goto(workbench: Workbench, url: str) -> str:
    return await (await workbench.page()).goto(url)


async def click(workbench: Workbench, ref: str) -> str:
    return await (await workbench.page()).click(ref)


async def fill(workbench: Workbench, ref: str, text: str) -> str:
    return await (await workbench.page()).fill(ref, text)


async def fill_and_submit(workbench: Workbench, ref: str, text: str) -> str:
    return await (await workbench.page()).fill_and_submit(ref, text)


async def press(workbench: Workbench, key: str, ref: str | None = None) -> str:
    return await (await workbench.page()).press(key, ref)


async def select(workbench: Workbench, ref: str, value: str) -> str:
    return await (await workbench.page()).select(ref, value)


async def scroll(workbench: Workbench, direction: Literal["up", "down", "top", "bottom"]) -> str:
    return await (await workbench.page()).scroll(direction)


async def back(workbench: Workbench) -> str:
    return await (await workbench.page()).back()


async def extract(workbench: Workbench, ref: str | None = None) -> str:
    return await (await workbench.page()).extract(ref)


def _action(function: ToolFunction, description: str, schema: dict[str, object]) -> Tool:
    return Tool(function.__name__, description, schema, "browser_action", function)


PAGE_ACTIONS: tuple[Tool, ...] = (
    _action(
        goto,
        "Open an address in the current window. Returns the new page.",
        parameters(
            url={
                "type": "string",
                "description": "A whole http(s) address, or a path on this site such as /cart.",
            }
        ),
    ),
    _action(
        click,
        "Click a link, button, checkbox or other element of the current page. Returns the page after it.",
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
        press,
        "Press a key or a combination. Returns the page after it.",
        parameters(
            ["key"],
            key={
                "type": "string",
                "description": "Such as Enter, Escape, Tab, ArrowDown, PageDown, Control+a.",
            },
            ref={"type": "string", "description": "Where to press it; where the focus is if left out."},
        ),
    ),
    _action(
        select,
        "Choose an option of a drop-down list (a combobox or listbox). Returns the page after it.",
        parameters(
            ref=_REF, value={"type": "string", "description": "The option's label as the snapshot shows it."}
        ),
    ),
    _action(
        scroll,
        "Scroll the current page. Returns the page after it.",
        parameters(direction={"type": "string", "enum": ["up", "down", "top", "bottom"]}),
    ),
    _action(back, "Go back to the page before this one. Returns that page.", parameters()),
    _action(
        extract,
        "Read the visible text of one element, or of the whole page; tables come as tab-separated rows.",
        parameters(
            [],
            ref={
                "type": "string",
                "description": "The element to read, such as e12; the whole page if left out.",
            },
        ),
    ),
)
