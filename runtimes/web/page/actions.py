"""What each action does to an element. Where it is found, waited for and recorded is `page.py`'s.

Each function gets the element and Playwright's time limit in ms, and raises Playwright's errors, or
ToolError where it knows more. Playwright's own checks stay on: an element is acted on once it is visible,
still, enabled and hit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from runtimes.web.page.faults import fault

if TYPE_CHECKING:
    from playwright.async_api import FilePayload, Locator, Page

Direction = Literal["up", "down", "left", "right", "top", "bottom"]

KEYSTROKE_SECONDS = 0.05
"""What each character of a typed text adds to the time limit."""

_OPTIONS = """element => element instanceof HTMLSelectElement
  ? {multiple: element.multiple,
     options: [...element.options].map(o => [o.label.trim().replace(/\\s+/g, ' '), o.value])}
  : null"""

_IS_FILE_FIELD = "element => element instanceof HTMLInputElement && element.type === 'file'"

_SCROLL = """(element, direction) => {
  const sideways = direction === 'left' || direction === 'right';
  const scrolls = e => (sideways ? e.scrollWidth > e.clientWidth + 1 : e.scrollHeight > e.clientHeight + 1)
    && /auto|scroll/.test(sideways ? getComputedStyle(e).overflowX : getComputedStyle(e).overflowY);
  let box = element ?? document.elementFromPoint(innerWidth / 2, innerHeight / 2);
  while (box && !scrolls(box)) box = box.parentElement;
  box ??= document.scrollingElement ?? document.documentElement;
  const [x, y] = [box.scrollLeft, box.scrollTop];
  const goal = {
    up: {top: y - box.clientHeight * 0.85}, down: {top: y + box.clientHeight * 0.85},
    left: {left: x - box.clientWidth * 0.85}, right: {left: x + box.clientWidth * 0.85},
    top: {top: 0}, bottom: {top: box.scrollHeight},
  };
  box.scrollTo({...goal[direction], behavior: 'instant'});
}"""
"""Scrolls the nearest box around the element that can, or the document; without one, around the middle."""


class _Options(msgspec.Struct):
    """Of each option its label and its value."""

    multiple: bool
    options: list[tuple[str, str]]


class UploadFile(NamedTuple):
    """A file as a page gets it: made of content, never of a path of this machine."""

    name: str
    content: bytes
    mime_type: str = "application/octet-stream"


async def click(element: Locator, ms: float) -> None:
    await element.click(timeout=ms)


async def double_click(element: Locator, ms: float) -> None:
    await element.dblclick(timeout=ms)


async def hover(element: Locator, ms: float) -> None:
    await element.hover(timeout=ms)


async def fill(element: Locator, ms: float, text: str) -> None:
    await element.fill(text, timeout=ms)


async def fill_and_submit(element: Locator, ms: float, text: str) -> None:
    await element.fill(text, timeout=ms)
    await element.press("Enter", timeout=ms)


async def type_keys(element: Locator, ms: float, text: str) -> None:
    await element.press_sequentially(text, timeout=ms + len(text) * KEYSTROKE_SECONDS * 1000)


async def press(element: Locator, ms: float, key: str) -> None:
    await element.press(key, timeout=ms)


async def check(element: Locator, ms: float, checked: bool) -> None:
    await element.set_checked(checked, timeout=ms)


async def select(element: Locator, ms: float, values: Sequence[str]) -> None:
    """Choose the options whose label or value is among `values`, and no others."""
    found = await element.evaluate(_OPTIONS, timeout=ms)
    if found is None:
        raise fault("wrong_element", "This is not a list to select from.", "Click it instead.")
    try:
        shown = msgspec.convert(found, _Options)
    except msgspec.ValidationError as error:  # the page has other lists in mind than the browser
        raise fault("wrong_element", "The page tells nothing of this list.", "Click it instead.") from error
    known = {text for option in shown.options for text in option}
    for value in values:
        if value not in known:
            labels = ", ".join(repr(label) for label, _ in shown.options[:50])
            raise fault("no_option", f"The list has no option {value!r}.", f"Options: {labels}.")
    if len(values) > 1 and not shown.multiple:
        raise fault("wrong_element", "This list takes one option only.", "Give one.")
    await element.select_option(list(values), timeout=ms)


async def upload(element: Locator, ms: float, files: Sequence[UploadFile]) -> None:
    """Give files to a file field, or to the field that a button opens."""
    from playwright.async_api import TimeoutError as PlaywrightTimeout

    payloads: list[FilePayload] = [
        {"name": file.name, "mimeType": file.mime_type, "buffer": file.content} for file in files
    ]
    if await element.evaluate(_IS_FILE_FIELD, timeout=ms):
        await element.set_input_files(payloads, timeout=ms)
        return
    try:
        async with element.page.expect_file_chooser(timeout=ms / 2) as chooser:
            await element.click(timeout=ms / 2)
    except PlaywrightTimeout as error:
        if "filechooser" not in str(error):
            raise
        raise fault("wrong_element", "This neither is a file field nor asks for a file.") from error
    await (await chooser.value).set_files(payloads, timeout=ms)


async def drag(element: Locator, ms: float, to: Locator) -> None:
    await element.drag_to(to, timeout=ms)


async def scroll(element: Locator, ms: float, direction: Direction) -> None:
    await element.evaluate(_SCROLL, direction, timeout=ms)


async def scroll_page(page: Page, direction: Direction) -> None:
    await page.evaluate(f"direction => ({_SCROLL})(null, direction)", direction)
