"""Reading a page without acting on it: a text that comes or goes, an element's text, a table, links."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Literal

from runtimes.web.page.faults import fault

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

Form = Literal["text", "table", "links"]

_TEXT = """element => {
  const cell = e => e.innerText.trim().replace(/\\s+/g, ' ');
  const row = e => [...e.cells].map(cell).join('\\t');
  if (element instanceof HTMLTableElement) return [...element.rows].map(row).join('\\n');
  if (element instanceof HTMLTableRowElement) return row(element);
  if ('value' in element && !(element instanceof HTMLButtonElement) && !(element instanceof HTMLLIElement))
    return String(element.value);
  return element.innerText ?? element.textContent ?? '';
}"""
"""What a person reads in an element. `innerText` already writes a table inside it with tabs."""

_TABLE = """element => {
  const kinds = 'table,[role=table],[role=grid],[role=treegrid]';
  const table = element.closest(kinds) ?? element.querySelector(kinds);
  if (!table) return null;
  const cell = e => (e.innerText ?? '').trim().replace(/\\s+/g, ' ');
  const cells = 'td,th,[role=cell],[role=gridcell],[role=columnheader],[role=rowheader]';
  const own = e => e.closest(kinds) === table;
  const rows = table.rows ? [...table.rows] : [...table.querySelectorAll('[role=row]')].filter(own);
  return rows.map(row => [...row.querySelectorAll(cells)].filter(own).map(cell).join('\\t')).join('\\n');
}"""

_LINKS = """element => {
  const own = element.closest('a[href]');
  const links = own ? [own] : [...element.querySelectorAll('a[href],area[href]')];
  const label = e =>
    e.getAttribute('aria-label') || e.innerText || e.alt || e.querySelector('img')?.alt || '';
  const name = e => label(e).trim().replace(/\\s+/g, ' ');
  return links.filter(e => e.checkVisibility({visibilityProperty: true}))
    .map(e => `${name(e)}\\t${e.href}`).join('\\n');
}"""


_POLL_SECONDS = 0.1


async def read(element: Locator, form: Form, ms: float) -> str:
    """The element's visible text; the table in or around it, a line a row, cells apart by tabs; or its links.

    A link is a line: text, tab, absolute address. Raises ToolError where there is no table.
    """
    script = {"text": _TEXT, "table": _TABLE, "links": _LINKS}[form]
    found = await element.evaluate(script, timeout=ms)
    if found is None:
        raise fault("wrong_element", "There is no table here.", "Extract the text instead.")
    return str(found)


async def until_shown(page: Page, text: str, shown: bool, seconds: float) -> bool:
    """Wait until `text` is visible in a frame of the page, or in none; whether that came within `seconds`."""
    from playwright.async_api import Error

    until = time.monotonic() + seconds
    while True:
        try:
            counts = [await frame.get_by_text(text).filter(visible=True).count() for frame in page.frames]
            if any(counts) is shown:
                return True
        except Error:
            if page.is_closed():
                raise
        if time.monotonic() >= until:
            return False
        await asyncio.sleep(_POLL_SECONDS)
