"""The element a ref of the last observation stands for, and a selector that finds it again without refs."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

from runtimes.errors import ToolError
from runtimes.web.observation import Observer
from runtimes.web.supplement import ENGINE

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

BOX_SECONDS = 1.0
_NEAREST = 3
_LONGEST = 100
_LIKE = 0.6
"""How like, of 1, an element's name must be to that of the lost one to be named as a candidate."""

_ENTER_FRAME = " >> internal:control=enter-frame >> "
_GONE = ("No element matching", "Invalid frame", "Frame was detached")

_REF = re.compile(r"(f\d+)?(e\d+|x\d+)")
_ELEMENT = re.compile(r'(?P<role>[\w#.-]*)(?: ?"(?P<name>(?:[^"\\]|\\.)*)")?')


class StaleRef(ToolError):
    """A ref nothing can be done with; `error_class` says why, the message names the nearest candidates."""

    def __init__(
        self, error_class: Literal["stale_ref", "not_a_ref", "ambiguous"], message: str, remedy: str
    ) -> None:
        super().__init__("browser_error", message, remedy)
        self.error_class: Literal["stale_ref", "not_a_ref", "ambiguous"] = error_class


@dataclass(frozen=True)
class Target:
    """An element to act on.

    `selector` holds no refs: `page.locator(selector)` finds it again, also in another browser. `box` is
    x, y, width, height in the page's viewport, CSS pixels; None for an element without one.
    """

    ref: str
    locator: Locator
    selector: str
    box: tuple[float, float, float, float] | None


async def find_target(page: Page, observer: Observer, ref: str) -> Target:
    """What `ref` stands for now; waits for nothing. Raises StaleRef, and Playwright's errors as they are."""
    name = ref.strip().removeprefix("[").removesuffix("]").removeprefix("ref=")
    parts = _REF.fullmatch(name)
    if parts is None:
        raise await _not_a_ref(page, observer, ref)
    locator = _locator(page, observer, parts[1] or "", parts[2])
    normalised = await _normalised(locator) if locator is not None else None
    if locator is None or normalised is None:
        raise await _stale(page, observer, name)
    selector, box = await asyncio.gather(_exact(locator, normalised), _box(locator))
    return Target(name, locator, selector, box)


def _locator(page: Page, observer: Observer, prefix: str, identity: str) -> Locator | None:
    """None where there is no such frame; Playwright itself finds the frame of an aria ref."""
    if identity.startswith("e"):
        return page.locator(f"aria-ref={prefix}{identity}")
    frame = observer.frame(page, prefix)
    return frame.locator(f"{ENGINE}={identity}") if frame is not None else None


async def _normalised(locator: Locator) -> str | None:
    """Playwright's own choice of role, text or test id, through frames; None where there is no such element.

    The text of a Locator is Python code, so the selector itself is read, which `page.locator` takes again.
    """
    from playwright.async_api import Error

    try:
        return str((await locator.normalize())._impl_obj._selector)
    except Error as error:
        if any(sign in error.message for sign in _GONE):
            return None
        raise


async def _exact(locator: Locator, normalised: str) -> str:
    """`normalised`, or a CSS path: Playwright chooses the button or link around an element in one."""
    frames, enter, last = normalised.rpartition(_ENTER_FRAME)
    if await locator.locator(f"internal:and={json.dumps(last)}").count():
        return normalised
    path = await locator.locator(f"{ENGINE}=path").text_content(timeout=BOX_SECONDS * 1000)
    return f"{frames}{enter}css={path}"


async def _box(locator: Locator) -> tuple[float, float, float, float] | None:
    from playwright.async_api import Error

    try:
        box = await locator.bounding_box(timeout=BOX_SECONDS * 1000)
    except Error:
        return None
    return (box["x"], box["y"], box["width"], box["height"]) if box else None


async def _stale(page: Page, observer: Observer, ref: str) -> StaleRef:
    was = observer.remembered(ref)
    remedy = "Use a ref of the latest snapshot."
    if not was:
        return StaleRef("stale_ref", f"There is no element {ref}.", remedy)
    role, name = _role_and_name(was)
    nearest = _nearest(await observer.present_refs(page), role, name)
    message = f"There is no element {ref} any more; it was {was}"
    return StaleRef("stale_ref", f"{message}{_named(nearest)}.", remedy)


async def _not_a_ref(page: Page, observer: Observer, text: str) -> StaleRef:
    """Agents give names for refs; the elements with that name are what they mean."""
    role, name = _role_and_name(text.strip())
    if not name:
        role, name = "", text.strip().strip("\"'")
    nearest = _nearest(await observer.present_refs(page), role, name)
    equal = [element for element in nearest if _role_and_name(element[1])[1].casefold() == name.casefold()]
    remedy = "Refs look like e12, f1e12 or x3; see the snapshot."
    if len(equal) > 1:
        message = f"{text[:_LONGEST]!r} is not a ref, and more than one element has that name"
        return StaleRef("ambiguous", f"{message}{_named(equal)}.", remedy)
    return StaleRef("not_a_ref", f"{text[:_LONGEST]!r} is not a ref{_named(nearest)}.", remedy)


def _nearest(present: dict[str, str], role: str, name: str) -> list[tuple[str, str]]:
    """The refs whose elements are most like the one looked for, best first."""
    scored = []
    matcher = SequenceMatcher(b=name.casefold(), autojunk=False)
    for ref, element in present.items():
        its_role, its_name = _role_and_name(element)
        matcher.set_seq1(its_name.casefold()[:_LONGEST])
        if matcher.quick_ratio() < _LIKE or (likeness := matcher.ratio()) < _LIKE:
            continue
        if name or its_role == role:
            scored.append((likeness + (its_role == role), ref, element))
    scored.sort(key=lambda candidate: -candidate[0])
    return [(ref, element) for _, ref, element in scored[:_NEAREST]]


def _named(candidates: list[tuple[str, str]]) -> str:
    if not candidates:
        return ""
    return "; nearest: " + ", ".join(f"{ref} {element[:_LONGEST]}" for ref, element in candidates)


def _role_and_name(element: str) -> tuple[str, str]:
    """Of what a snapshot's line says an element is: 'button "Search" [disabled]' is ("button", "Search")."""
    found = _ELEMENT.match(element)
    assert found is not None
    return found["role"] or "", found["name"] or ""
