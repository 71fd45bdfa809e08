"""What the accessibility tree leaves out: elements that can be clicked or edited but have no aria ref.

Two scripts do the work. `listeners.js` runs in each document before its own scripts and remembers what
listens for the pointer. `supplement.js` is a selector engine in the isolated world of Playwright: it walks a
frame, open shadow roots included, reports it, and finds an element it has reported. Events caught by an
ancestor (delegation) and closed shadow roots are out of its sight.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Frame, Locator, Page, Playwright

ENGINE = "supplement"
FRAME_SECONDS = 1.0
"""The longest a frame inside the page may take; one that takes longer is left out."""

_UNNUMBERED = 1000
"""Playwright's numbers of frames stay below; frames in which it gave no ref are counted from here."""


class Clickable(msgspec.Struct, frozen=True):
    """An element a person could act on. `box` is x, y, width, height in the frame's viewport, CSS pixels.

    `refs` are the aria refs that lead to the same place, `around` those of its ancestors, nearest first.
    """

    id: str
    kind: str
    tag: str
    name: str
    box: tuple[int, int, int, int]
    refs: list[str]
    around: list[str]
    visible: bool
    checked: bool
    fill: str


class FrameReport(msgspec.Struct):
    """One frame, as `supplement.js` saw it.

    `document` differs for every document loaded; `text` is that of one without a body, else None; `scroll`
    is offset, height seen and height in all; `prefix` begins the frame's refs.
    """

    document: str
    title: str
    seen: bool
    text: str | None
    scroll: tuple[int, int, int]
    prefix: str
    visible: list[str]
    omitted: int
    focus: str
    clickables: list[Clickable]


class Whereabouts(msgspec.Struct, frozen=True):
    """A CSS path to an element of a document, and its box in the page's viewport; None for one in a frame.

    `alone` says whether the selector it was asked with finds the element and nothing else.
    """

    path: str
    box: tuple[float, float, float, float] | None
    alone: bool


async def register(playwright: Playwright) -> None:
    """Teach a driver the engine; once, before its first page."""
    await playwright.selectors.register(ENGINE, script=_script("supplement.js"), content_script=True)


async def install(context: BrowserContext) -> None:
    """Let every document of the context remember what listens; before its first page."""
    await context.add_init_script(_script("listeners.js"))


async def report_frame(frame: Page | Frame, *, viewport: bool = False, seconds: float = 0) -> FrameReport:
    """`viewport` adds the aria refs in it; 0 seconds is no limit. Raises Playwright's errors."""
    part = "viewport" if viewport else "page"
    told = await frame.locator(f"{ENGINE}={part}").text_content(timeout=seconds * 1000)
    return msgspec.json.decode(told or "{}", type=FrameReport)


async def report_frames(page: Page, *, viewport: bool = False) -> dict[Frame, FrameReport]:
    """The frames inside a page that can be seen and answer, all asked at the same time."""
    from playwright.async_api import Error

    async def report(frame: Frame) -> FrameReport | None:
        try:
            return await report_frame(frame, viewport=viewport, seconds=FRAME_SECONDS)
        except Error:
            return None  # it went, or hangs; the page has more than this

    frames = page.frames[1:]
    reports = await asyncio.gather(*map(report, frames))
    found = {f: r for f, r in zip(frames, reports, strict=True) if r is not None and r.seen}
    for number, told in enumerate(found.values(), _UNNUMBERED):
        told.prefix = told.prefix or f"f{number}"
    return found


async def whereabouts(locator: Locator, selector: str = "") -> Whereabouts | None:
    """None where the element has gone, which nothing waits for. Raises Playwright's errors.

    All that is asked is one selector: each question to a page costs the driver as much as its answer.
    """
    asked = locator.locator(f"{ENGINE}=chosen")
    if selector:
        asked = asked.locator(f"internal:or={json.dumps(f'{selector} >> {ENGINE}=candidate')}")
    told = await asked.locator(f'internal:or="{ENGINE}=about"').text_content(timeout=0)
    return msgspec.json.decode(told or "null", type=Whereabouts | None)


def new_to_the_agent(report: FrameReport, refs: Collection[str]) -> list[Clickable]:
    """The clickables that none of `refs`, those the snapshot shows, leads to."""
    return [clickable for clickable in report.clickables if not any(ref in refs for ref in clickable.refs)]


def marks(report: FrameReport, refs: Collection[str]) -> dict[str, str]:
    """Refs of the snapshot that can be acted on though their role does not say so, and what to say of it."""
    shown = ((next((ref for ref in c.refs if ref in refs), ""), c) for c in report.clickables)
    return {ref: f"[{c.kind}]" + " [checked]" * c.checked for ref, c in shown if ref}


def line(clickable: Clickable, prefix: str, refs: Collection[str]) -> str:
    """A clickable as the observation lists it. Where it has no name, its place tells it from others."""
    words = [f"- {clickable.tag}"]
    if clickable.name:
        words.append(json.dumps(clickable.name, ensure_ascii=False))
    if clickable.kind != "clickable":
        words.append(f"[{clickable.kind}]")
    if clickable.checked:
        words.append("[checked]")
    words.append(f"[ref={prefix}{clickable.id}]")
    if clickable.fill:
        words.append(f"[fill={clickable.fill}]")
    if not clickable.name:
        words.append(f"[box={','.join(map(str, clickable.box))}]")
    if around := next((ref for ref in clickable.around if ref in refs), ""):
        words.append(f"[in={around}]")
    return " ".join(words)


@cache
def _script(name: str) -> str:
    text = files("runtimes.web.observation").joinpath(name).read_text("utf-8")
    return text.replace("__TOKEN__", _token())


@cache
def _token() -> str:
    """What the events between the two scripts are called; no page may guess it."""
    return secrets.token_hex(16)
