"""The element a ref of the last observation stands for, and a selector that finds it again without refs."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

from runtimes.errors import ToolError
from runtimes.web.observation.observer import Observer
from runtimes.web.observation.supplement import Whereabouts, whereabouts

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

_GONE_SECONDS = 1.0
"""How long Playwright looks for an element that was there a moment ago."""

_NEAREST = 3
_LONGEST = 100
_LIKE = 0.6
"""How like, of 1, an element's name must be to that of the lost one to be named as a candidate."""

_ENTER_FRAME = " >> internal:control=enter-frame >> "
_GONE = ("No element matching", "Invalid frame", "Frame was detached")

_ACTIVE_ROLES = {
    *("button", "checkbox", "combobox", "link", "menuitem", "menuitemcheckbox", "menuitemradio", "option"),
    *("radio", "searchbox", "slider", "spinbutton", "switch", "tab", "textbox"),
}
_PLAIN = re.compile(r"[^\\\"'`\[\]]+")
"""A name that a snapshot and a selector both write as it is."""

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
    try:
        locator = observer.locator(page, name)
    except ValueError:
        raise await _not_a_ref(page, observer, ref) from None
    found = await _found(page, locator, observer.shown(name)) if locator is not None else None
    if locator is None or found is None:
        raise await _stale(page, observer, name)
    normalised, exact, where = found
    selector = normalised if exact else _path(normalised, where.path)
    return Target(name, locator, selector, where.box or await _box(locator))


async def _found(page: Page, locator: Locator, shown: str) -> tuple[str, bool, Whereabouts] | None:
    """A selector, whether it finds the element itself, and where that is; None if the element is gone.

    `shown` is what the last observation said of it.
    """
    # Asked at the same time. It is told last, and by waiting, that there is no such element.
    looking = asyncio.ensure_future(_whereabouts(locator))
    try:
        selector = _by_role(shown)
        exact = bool(selector) and await _finds_alone(page, locator, selector)
        if not exact:
            normalised = await _normalised(locator)
            if normalised is None:
                return None
            selector, exact = normalised, await _is(locator, normalised)
        where = await looking
        return (selector, exact, where) if where is not None else None
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def _by_role(shown: str) -> str:
    """The selector by role and name that Playwright would most likely choose; empty where it might not."""
    role, name = _role_and_name(shown)
    if role not in _ACTIVE_ROLES or not name or len(name) > _LONGEST or not _PLAIN.fullmatch(name):
        return ""
    return f'internal:role={role}[name="{name}"i]'


async def _finds_alone(page: Page, locator: Locator, selector: str) -> bool:
    """Whether `selector` finds the element and nothing else, at a third of what Playwright's search takes."""
    alone, same = await asyncio.gather(page.locator(selector).count(), _count_of_both(locator, selector))
    return alone == same == 1


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


async def _is(locator: Locator, normalised: str) -> bool:
    """Whether that is the element itself: Playwright chooses the button or link around an element in one."""
    return await _count_of_both(locator, normalised.rpartition(_ENTER_FRAME)[2]) > 0


async def _count_of_both(locator: Locator, selector: str) -> int:
    """How many elements `locator` and `selector` both find."""
    return await locator.locator(f"internal:and={json.dumps(selector)}").count()


def _path(normalised: str, path: str) -> str:
    """The same frames, and in the last of them the CSS path."""
    frames, enter, _ = normalised.rpartition(_ENTER_FRAME)
    return f"{frames}{enter}css={path}"


async def _whereabouts(locator: Locator) -> Whereabouts | None:
    from playwright.async_api import TimeoutError as PlaywrightTimeout

    try:
        return await whereabouts(locator, _GONE_SECONDS)
    except PlaywrightTimeout:
        return None


async def _box(locator: Locator) -> tuple[float, float, float, float] | None:
    """By several questions to the browser, which alone knows where a frame is."""
    from playwright.async_api import TimeoutError as PlaywrightTimeout

    try:
        box = await locator.bounding_box(timeout=_GONE_SECONDS * 1000)
    except PlaywrightTimeout:
        return None
    return (box["x"], box["y"], box["width"], box["height"]) if box else None


async def _stale(page: Page, observer: Observer, ref: str) -> StaleRef:
    was = observer.remembered(ref)
    remedy = "Use a ref of the latest snapshot."
    if not was:
        return StaleRef("stale_ref", f"There is no {ref}.", remedy)
    role, name = _role_and_name(was)
    nearest = _nearest(await observer.present_refs(page), role, name)
    message = f"There is no {ref} any more; it was {was}"
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
