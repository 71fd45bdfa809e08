"""A page as the browser has it at one moment: its aria snapshot, and a report of each frame that is seen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from runtimes.text import well_formed
from runtimes.web.futures import may_fail_unheard
from runtimes.web.observation import supplement
from runtimes.web.observation.snapshot import (
    around_viewport,
    cut,
    marked,
    refs,
    with_short_addresses,
    without_focus,
)
from runtimes.web.observation.supplement import FrameReport

if TYPE_CHECKING:
    from playwright.async_api import Frame, Page

SNAPSHOT_SECONDS = 30.0
"""Longer than any caller's deadline: it only ends the driver's waiting for a body, once nobody waits."""

_BODY_SECONDS = 0.5
"""A snapshot waits for a body; a document without one for so long is asked whether it will ever have it."""

_SUPPLEMENT_SHARE = 4
"""Where the budget is not enough the supplement gets at most this part of it."""

_REMEDY = "scroll, or extract an element by its ref."


@dataclass(frozen=True)
class View:
    """`tree` is the aria snapshot, or the text of a document without a body; `frames` are inside the page."""

    tree: str
    main: FrameReport
    frames: dict[Frame, FrameReport]

    @property
    def reports(self) -> list[FrameReport]:
        return [self.main, *self.frames.values()]

    @cached_property
    def shown_refs(self) -> dict[str, str]:
        """The refs of the tree, each with the role and name it stands for."""
        return refs(self.tree)

    @property
    def focus(self) -> str:
        """The ref of the focused element, the tag of one without, or nothing."""
        for report in self.reports:
            if report.focus:
                prefix = report.prefix if report.focus.startswith("x") else ""
                return prefix + report.focus
        return ""

    @cached_property
    def whole(self) -> str:
        """Tree and supplement, all of them."""
        return "\n\n".join(filter(None, [self._marked(self.tree), self._supplement()]))

    def fitted(self, budget: int) -> str:
        """Tree and supplement within about `budget` characters: what is in the viewport, then cut."""
        if len(self.whole) <= budget:
            return self.whole
        listed = cut(self._supplement(in_viewport=True), budget // _SUPPLEMENT_SHARE, _REMEDY)
        tree = self.tree
        if len(tree) > budget - len(listed):
            # A document without a body has no refs to filter by.
            visible = {ref for report in self.reports for ref in report.visible}
            tree = with_short_addresses(around_viewport(tree, visible) if visible else tree)
            tree = cut(tree, budget - len(listed), _REMEDY)
        return "\n\n".join(filter(None, [self._marked(tree), listed]))

    def _marked(self, tree: str) -> str:
        marks: dict[str, str] = {}
        for report in self.reports:
            marks.update(supplement.marks(report, self.shown_refs))
        return marked(tree, marks)

    def _supplement(self, in_viewport: bool = False) -> str:
        lines = []
        for report in self.reports:
            clickables = supplement.new_to_the_agent(report, self.shown_refs)
            chosen = [c for c in clickables if c.visible or not in_viewport]
            lines += [supplement.line(c, report.prefix, self.shown_refs) for c in chosen]
            if hidden := len(clickables) - len(chosen):
                lines.append(f"({hidden} more outside the viewport)")
            if report.omitted:
                lines.append(f"({report.omitted} more not looked at)")
        return "\n".join(["Also clickable:", *lines]) if lines else ""


async def view(page: Page, budget: int) -> View:
    """Look at the page now, with what `View.fitted` needs for `budget`. Raises Playwright's errors."""
    tree, main = await _tree(page)
    # Where the tree fits nobody asks what of it is in the viewport.
    viewport = len(tree) > budget - budget // _SUPPLEMENT_SHARE
    inside = supplement.report_frames(page, viewport=viewport)
    if main is not None:
        return View(tree, main, await inside)
    return View(tree, *await asyncio.gather(supplement.report_frame(page, viewport=viewport), inside))


async def _tree(page: Page) -> tuple[str, FrameReport | None]:
    """The aria snapshot; of a document without a body, such as XML, its text and its report."""
    taking = asyncio.ensure_future(page.aria_snapshot(mode="ai", timeout=SNAPSHOT_SECONDS * 1000))
    # Nobody waits for a snapshot given up, and asyncio would complain of its error.
    may_fail_unheard(taking)
    try:
        await asyncio.wait({taking}, timeout=_BODY_SECONDS)
        if not taking.done():
            report = await supplement.report_frame(page)
            if report.text is not None:
                return report.text, report
        return without_focus(well_formed(await taking)), None
    finally:
        taking.cancel()
