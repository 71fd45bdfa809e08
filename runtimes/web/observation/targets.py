"""The element a ref of the last observation stands for, and a selector that finds it again without refs."""

from __future__ import annotations

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
    found = await _found(locator, observer.shown(name)) if locator is not None else None
    if locator is None or found is None:
        raise await _stale(page, observer, name)
    normalised, exact, where = found
    selector = normalised if exact else _path(normalised, where.path)
    return Target(name, locator, selector, where.box or await _box(locator))


async def _found(locator: Locator, shown: str) -> tuple[str, bool, Whereabouts] | None:
    """A selector, whether it finds the element itself, and where that is; None if the element is gone.

    `shown` is what the last observation said of it.
    """
    from playwright.async_api import Error

    by_role = _by_role(shown)
    try:
        where = await whereabouts(locator, by_role)
        if where is None:
            return None
        if where.alone:
            return by_role, True, where
        normalised = await _normalised(locator)
        return normalised, await _is(locator, normalised), where
    except Error as error:
        if any(sign in error.message for sign in _GONE):
            return None
        raise


def _by_role(shown: str) -> str:
    """The selector by role and name that Playwright would most likely choose; empty where it might not."""
    role, name = _role_and_name(shown)
    if role not in _ACTIVE_ROLES or not name or len(name) > _LONGEST or not _PLAIN.fullmatch(name):
        return ""
    return f'internal:role={role}[name="{name}"i]'


async def _normalised(locator: Locator) -> str:
    """Playwright's own choice of role, text or test id, through frames: the dearest question of a step.

    The text of a Locator is Python code, so the selector itself is read, which `page.locator` takes again.
    """
    return str((await locator.normalize())._impl_obj._selector)


async def _is(locator: Locator, normalised: str) -> bool:
    """Whether that is the element itself: Playwright chooses the button or link around an element in one."""
    selector = normalised.rpartition(_ENTER_FRAME)[2]
    return await locator.locator(f"internal:and={json.dumps(selector)}").count() > 0


def _path(normalised: str, path: str) -> str:
    """The same frames, and in the last of them the CSS path."""
    frames, enter, _ = normalised.rpartition(_ENTER_FRAME)
    return f"{frames}{enter}css={path}"


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
