"""What an agent sees of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runtimes.web.snapshot import BUDGET, Viewport, cut, in_viewport

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page

VIEWPORT = Viewport(1280, 720)


@dataclass(frozen=True)
class Observation:
    """`text` is what the agent reads, `snapshot` the whole page before filter and budget."""

    text: str
    snapshot: str
    url: str
    title: str
    changed: bool | None


class Observer:
    """Looks at the pages of one context."""

    def __init__(
        self, context: BrowserContext, *, budget: int = BUDGET, mode: Literal["full", "diff"] = "full"
    ) -> None:
        self._budget = budget
        self._last = ""

    async def install(self) -> None:
        """Nothing to install."""

    async def observe(self, page: Page, *, tabs: Sequence[Page], notices: Sequence[str]) -> Observation:
        """Raises Playwright's errors."""
        title = await page.title()
        snapshot = whole = await page.aria_snapshot(mode="ai", timeout=10_000)
        if len(snapshot) > self._budget:
            snapshot = await page.aria_snapshot(mode="ai", boxes=True, timeout=10_000)
            snapshot = in_viewport(snapshot, VIEWPORT)
        snapshot = cut(snapshot, self._budget, "scroll, or extract an element by its ref.")
        seen = f"URL: {page.url}\nTitle: {title}\n\n{snapshot}"
        changed = seen != self._last if self._last else None
        self._last = seen
        return Observation("".join(f"{n}\n" for n in notices) + seen, whole, page.url, title, changed)
