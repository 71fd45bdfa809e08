"""Grades by the state of pages, apart from the agent: a fresh page with its cookies, or the one it left."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from runtimes.contracts import Trajectory
from runtimes.errors import InfrastructureError, InvalidTask, ToolError
from runtimes.grading.answers import last_number, same_number, same_text
from runtimes.grading.base import SPEC_PLACE, VerifierKind
from runtimes.grading.clock import uncounted
from runtimes.grading.killable import Unchecked, search
from runtimes.grading.page_reading import Unreadable, by_locator, by_script, open_page
from runtimes.grading.urls import normalised, same_url
from runtimes.grading.values import same_json
from runtimes.services import Services
from runtimes.web.page.navigation import whole_address
from runtimes.world import World
from runtimes.wrong_fields import read_part

if TYPE_CHECKING:
    from playwright.async_api import Page

RENDERING_SECONDS = 2.0
"""How long an element may be late on a page that was just opened; a script can wait by itself."""

_TRIES = 20
_WHERE = ("url", "at")
_WHAT = ("script", "locator")
_EXPECTATIONS = ("expected", "contains", "matches", "at_least", "compare")


class Check(Struct, frozen=True, forbid_unknown_fields=True):
    """One value read off a page, and what it is held against.

    Where: at `url` in a fresh page with the episode's cookies, or `at` the agent's last page as it left it.
    What: the value of `script` (JavaScript), or what `read` or `attribute` says of the element that
    `locator` (a Playwright selector) finds; `read: "url"` is the address the episode ended at.
    Held against: `expected`, equal as JSON; `contains`, a part of a text or a member of a list; `matches`, a
    regular expression found in the text; `at_least`, a number; or `compare`: the value is the right answer
    and the agent's is held against it.
    """

    url: str | UnsetType = UNSET
    at: Literal["last_page"] | UnsetType = UNSET
    script: str | UnsetType = UNSET
    locator: str | UnsetType = UNSET
    read: Literal["text", "value", "count", "visible", "url"] | UnsetType = UNSET
    attribute: str | UnsetType = UNSET
    expected: Any | UnsetType = UNSET
    contains: Any | UnsetType = UNSET
    matches: str | UnsetType = UNSET
    at_least: float | UnsetType = UNSET
    compare: Literal["numeric", "exact"] | UnsetType = UNSET
    tolerance: Annotated[float, Meta(ge=0)] = 1e-6

    @property
    def of_address(self) -> bool:
        return self.read == "url"

    @property
    def on_last_page(self) -> bool:
        return self.at == "last_page" and not self.of_address


class PageStateSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """All of `checks` must hold, in order; a spec that is one check may be written without the list."""

    checks: Annotated[list[Check], Meta(min_length=1)]


class PageState(VerifierKind[PageStateSpec]):
    """The world itself says whether the task was done."""

    Spec = PageStateSpec

    def read(self, spec: dict[str, Any]) -> PageStateSpec:
        if "checks" in spec:
            read = super().read(spec)
            places = [f"{SPEC_PLACE}.checks[{index}]" for index in range(len(read.checks))]
        else:
            read, places = PageStateSpec([read_part(spec, Check, SPEC_PLACE)]), [SPEC_PLACE]
        for check, place in zip(read.checks, places, strict=True):
            if fault := _fault(check):
                raise InvalidTask(f"a check {fault} - at `{place}`.")
        return read

    def needs_world(self, spec: PageStateSpec) -> bool:
        return True

    def needs_last_page(self, spec: PageStateSpec) -> bool:
        return any(check.on_last_page for check in spec.checks)

    async def grade(
        self, spec: PageStateSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        count = len(spec.checks)
        stays = any(check.of_address for check in spec.checks)
        crashed: list[Page] = []
        async with AsyncExitStack() as stack:
            fresh: Page | None = None
            for number, check in enumerate(spec.checks, start=1):
                if check.url is not UNSET and fresh is None:
                    opening = services.browsers.grading_page(
                        world.storage_state, allowed_domains=world.allowed_domains
                    )
                    with uncounted():
                        fresh = await stack.enter_async_context(opening)
                    fresh.on("crash", lambda page: crashed.append(page))
                try:
                    reward, reason = await _judge(check, trajectory.final_result, world, fresh, stays)
                except Unreadable as error:
                    if crashed:
                        raise InfrastructureError("browser_error", "The grading page crashed.") from error
                    reward, reason = 0.0, str(error)
                if count == 1 or reward < 1:
                    return reward, reason if count == 1 else f"check {number} of {count}: {reason}"
        return 1.0, f"all {count} checks hold"


async def _judge(
    check: Check, answer: Any, world: World, fresh: Page | None, stays: bool
) -> tuple[float, str]:
    """The reward of one check, and why; `stays` where what is read must be at the address that is checked."""
    if check.of_address:
        return await _hold(check, world.last_url, answer)
    if check.url is UNSET:
        if world.last_page is None:
            return 0.0, "the episode ended on no page"
        before = world.last_page.url
        value = await _value(world.last_page, check)
        for url in (before, world.last_page.url):
            if stays and normalised(url) != normalised(world.last_url):
                return 0.0, f"the page went on to {url} once the episode had ended"
        return await _hold(check, value, answer)
    assert fresh is not None
    await open_page(fresh, check.url)
    verdict = await _hold(check, await _value(fresh, check), answer)
    for _ in range(_TRIES if check.script is UNSET else 0):
        if verdict[0] == 1:
            break
        await asyncio.sleep(RENDERING_SECONDS / _TRIES)
        verdict = await _hold(check, await _value(fresh, check), answer)
    return verdict


async def _value(page: Page, check: Check) -> Any:
    if check.script is not UNSET:
        return await by_script(page, check.script)
    assert check.locator is not UNSET
    attribute = None if check.attribute is UNSET else check.attribute
    read = "text" if check.read is UNSET or check.read == "url" else check.read
    return await by_locator(page, check.locator, read, attribute)


async def _hold(check: Check, value: Any, answer: Any) -> tuple[float, str]:
    """The check's value against what it must be, or the agent's answer against the value."""
    if check.compare is not UNSET:
        return _hold_answer(check, value, answer)
    try:
        if check.of_address:
            holds = await _is_there(check, str(value))
            return (1.0, "the episode ended there") if holds else (0.0, f"the episode ended at {value}")
        if await _is_as_expected(check, value):
            return 1.0, "the page is in the expected state"
    except Unchecked as error:
        return 0.0, f"the text could not be searched: {error}"
    return 0.0, "the page is not in the expected state"


def _hold_answer(check: Check, value: Any, answer: Any) -> tuple[float, str]:
    number = _number(value)
    if check.compare == "exact" and value is not None:
        return same_text(answer, str(value))
    if check.compare == "numeric" and number is not None:
        return same_number(answer, number, check.tolerance)
    return 0.0, f"the page holds no {'text' if check.compare == 'exact' else 'number'} to compare with"


async def _is_there(check: Check, url: str) -> bool:
    if check.expected is not UNSET:
        return same_url(url, str(check.expected))
    return await _is_as_expected(check, normalised(url, fragment=True))


async def _is_as_expected(check: Check, value: Any) -> bool:
    if check.expected is not UNSET:
        return same_json(value, check.expected)
    if check.contains is not UNSET:
        if isinstance(value, list):
            return any(same_json(member, check.contains) for member in value)
        return isinstance(value, str) and str(check.contains) in value
    if check.matches is not UNSET:
        return isinstance(value, str) and await search(check.matches, value)
    number = _number(value)
    return number is not None and check.at_least is not UNSET and number >= check.at_least


def _number(value: Any) -> float | None:
    """A number, or the last one in a text; true and false are none."""
    if isinstance(value, str):
        return last_number(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _fault(check: Check) -> str:
    """What is wrong with a check as it is written; empty for a sound one."""
    if _count(check, _WHERE) != 1:
        return 'has exactly one of `url` and `at`: "last_page"'
    if check.url is not UNSET:
        try:
            whole_address(check.url, "")
        except ToolError:
            return f"has a `url` that is no whole http or https address: {check.url!r}"
    if check.of_address:
        if check.at is UNSET or _count(check, (*_WHAT, "attribute")):
            return 'with `read`: "url" has `at`: "last_page", and neither script, locator nor attribute'
        if not isinstance(check.expected, str | UnsetType):
            return 'with `read`: "url" has an address in `expected`'
    elif _count(check, _WHAT) != 1:
        return "has exactly one of `script` and `locator`"
    elif check.locator is UNSET and _count(check, ("read", "attribute")):
        return "has `read` or `attribute` without the `locator` they belong to"
    elif _count(check, ("read", "attribute")) > 1:
        return "has either `read` or `attribute`"
    if _count(check, _EXPECTATIONS) != 1:
        return f"has exactly one of {', '.join(f'`{name}`' for name in _EXPECTATIONS)}"
    if check.matches is not UNSET:
        try:
            re.compile(check.matches)
        except re.error as error:
            return f"has a `matches` that is no regular expression: {error}"
    return ""


def _count(check: Check, names: tuple[str, ...]) -> int:
    return sum(getattr(check, name) is not UNSET for name in names)
