"""The element that a ref of the latest observation stands for."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtimes.errors import ToolError

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

    from runtimes.web.observation import Observer

_REF = re.compile(r"(?:f\d+)?e\d+")


@dataclass(frozen=True)
class Target:
    """An element that is there now."""

    ref: str
    locator: Locator
    selector: str
    box: tuple[float, float, float, float] | None


class StaleRef(ToolError):
    """No element, or not exactly one, for a ref."""


async def find_target(page: Page, observer: Observer, ref: str) -> Target:
    """Quick. Raises StaleRef."""
    name = ref.strip().removeprefix("[").removesuffix("]").removeprefix("ref=")
    if not _REF.fullmatch(name):
        raise StaleRef(
            "browser_error", f"{ref!r} is not a ref.", "Refs look like e12.", error_class="not_a_ref"
        )
    element = page.locator(f"aria-ref={name}")
    if not await element.count():
        raise StaleRef(
            "browser_error",
            f"There is no {name} any more.",
            "Use a ref of the latest snapshot.",
            error_class="stale_ref",
        )
    normal, box = await asyncio.gather(element.normalize(), element.bounding_box())
    selector = str(normal._impl_obj._selector)
    return Target(name, element, selector, (box["x"], box["y"], box["width"], box["height"]) if box else None)
