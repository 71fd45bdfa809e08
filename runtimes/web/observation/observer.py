"""What an agent reads of a page: address, tabs, focus, scroll position, what changed, the tree with refs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runtimes.web.observation import changes, supplement
from runtimes.web.observation.snapshot import BUDGET, refs, split_ref, without_refs
from runtimes.web.observation.view import View, view

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Frame, Locator, Page

TITLE_SECONDS = 0.5
"""The longest another tab may take to tell its title."""

ONLY_CHANGES = "(only what changed is shown; the rest and its refs are as before)"
"""Stands before the changes where they are all that an observation shows."""

_REMEMBERED = 3
"""Observations whose refs are still known by name once they are stale."""

_FEW_CHANGES = 6
_LINE_LENGTH = 200
_URL_LENGTH = 2_000


@dataclass(frozen=True)
class Observation:
    """A page as an agent is shown it.

    `snapshot` is the whole page, tree and supplement, before viewport filter and budget, `readable` the same
    without refs. `changed` says whether there is something else to read than in the observation before,
    wherever focus and scroll position are; None for the first.
    """

    text: str
    snapshot: str
    readable: str
    url: str
    title: str
    changed: bool | None


@dataclass(frozen=True)
class _Seen:
    """What is kept of an observation to compare the next one with."""

    document: str
    url: str
    title: str
    snapshot: str
    readable: str
    focus: str
    scroll: tuple[int, int, int]

    @classmethod
    def of(cls, url: str, looked: View) -> _Seen:
        main, snapshot = looked.main, looked.whole
        readable = without_refs(snapshot)
        return cls(main.document, url, main.title, snapshot, readable, looked.focus, main.scroll)


@dataclass(frozen=True)
class Look:
    """A page and what was seen of it, not yet told."""

    page: Page
    url: str
    view: View
    tab_lines: list[str]


class Observer:
    """Observes the pages of one context, each observation told against the one before.

    `budget` is characters of page; the lines before it come on top. In mode "diff" a page of which less than
    half has changed is shown by its changes alone. Not for concurrent use.
    """

    def __init__(
        self, context: BrowserContext, *, budget: int = BUDGET, mode: Literal["full", "diff"] = "full"
    ) -> None:
        self._context = context
        self._budget = budget
        self._mode = mode
        self._last: _Seen | None = None
        self._snapshots: deque[str] = deque(maxlen=_REMEMBERED)
        self._looked_at = ""
        self._shown: dict[str, str] = {}
        self._frames: dict[str, Page | Frame] = {}

    async def install(self) -> None:
        """Prepare the context; before its first page."""
        await supplement.install(self._context)

    async def observe(self, page: Page, *, tabs: Sequence[Page], notices: Sequence[str]) -> Observation:
        """Look at `page`, and tell of it; `tabs` are all that are open, `notices` sentences to go first.

        A page that hangs is for the caller's deadline. Raises Playwright's errors as they are.
        """
        return self.tell(await self.look(page, tabs), notices)

    async def look(self, page: Page, tabs: Sequence[Page]) -> Look:
        """What there is to tell of `page` now. A look that is not told of leaves no trace."""
        looked, tab_lines = await asyncio.gather(view(page, self._budget), _tab_lines(page, tabs))
        return Look(page, page.url, looked, tab_lines)

    def tell(self, look: Look, notices: Sequence[str]) -> Observation:
        """The observation of a look, against the one before it."""
        looked, tab_lines = look.view, look.tab_lines
        self._know(look.page, looked)
        last, now = self._last, _Seen.of(look.url, looked)
        self._last = now
        self._snapshots.append(now.snapshot)
        hunks = _hunks(last, now)
        changed = None if last is None else _has_changed(last, now)
        body = ""
        # A page that was scrolled may show what it did not before.
        if self._mode == "diff" and last is not None and hunks is not None and last.scroll == now.scroll:
            body = _changes_alone(last, now, hunks, self._budget)
        head = [*notices, f"URL: {_short(now.url, _URL_LENGTH)}", f"Title: {now.title}"]
        head += [*tab_lines, *_position(now)]
        head += _change_lines(last, now, hunks, changed, shown=bool(body))
        body = body or looked.fitted(self._budget) or "(there is nothing to read or click)"
        text = "\n".join([*head, "", body])
        return Observation(text, now.snapshot, now.readable, now.url, now.title, changed)

    async def present_refs(self, page: Page) -> dict[str, str]:
        """The refs an observation would show now, each with what it stands for, such as 'button "Search"'."""
        looked = await view(page, self._budget)
        self._know(page, looked)
        return refs(looked.whole)

    def locator(self, page: Page, ref: str) -> Locator | None:
        """Finds the element of a ref, if it is still there; None where its frame is gone or nothing was told.

        Raises ValueError for what is no ref.
        """
        prefix, identity = split_ref(ref)
        if self._last is None:  # a look has given refs that nobody was shown
            return None
        if identity.startswith("e"):
            return page.locator(f"aria-ref={ref}")
        frame = self._frames.get(prefix)
        return frame.locator(f"{supplement.ENGINE}={identity}") if frame is not None else None

    def shown(self, ref: str) -> str:
        """What the last look showed of an element of the page itself, such as 'button "Search"'."""
        return self._shown.get(ref, "") if ref.startswith("e") else ""

    def remembered(self, ref: str) -> str:
        """What `ref` stood for in the last observations that showed it; empty where none did."""
        known = (refs(s).get(ref, "") for s in (self._looked_at, *reversed(self._snapshots)))
        return next(filter(None, known), "")

    def _know(self, page: Page, looked: View) -> None:
        self._frames = {report.prefix: frame for frame, report in looked.frames.items()}
        self._frames[looked.main.prefix] = page
        self._looked_at = looked.whole
        self._shown = looked.shown_refs


def _hunks(last: _Seen | None, now: _Seen) -> list[changes.Hunk] | None:
    """What changed line by line; None where there is nothing, or another document, to compare with."""
    if last is None or last.document != now.document:
        return None
    if last.snapshot == now.snapshot:
        return []
    return changes.changes(last.snapshot.split("\n"), now.snapshot.split("\n"))


def _has_changed(last: _Seen, now: _Seen) -> bool:
    return (last.url, last.title, last.readable) != (now.url, now.title, now.readable)


def _change_lines(
    last: _Seen | None, now: _Seen, hunks: list[changes.Hunk] | None, changed: bool | None, shown: bool
) -> Iterator[str]:
    if last is None:
        return
    if not changed:
        moved = [
            "the focus moved" if last.focus != now.focus else "",
            "it was scrolled" if last.scroll != now.scroll else "",
            "elements were made anew, with new refs" if last.snapshot != now.snapshot else "",
        ]
        yield f"({', but '.join(['the page did not change', *filter(None, moved)])})"
    elif hunks is None:
        yield "Changed: another document."
    else:
        parts = ["address" if last.url != now.url else "", "title" if last.title != now.title else ""]
        parts += [changes.counted(hunks)] if hunks else []
        yield f"Changed: {', '.join(filter(None, parts))}"
        if not shown:
            lines = changes.lines_of(hunks, last.snapshot.split("\n"))
            yield from (_short(line) for line in lines[:_FEW_CHANGES])


def _changes_alone(last: _Seen, now: _Seen, hunks: list[changes.Hunk], budget: int) -> str:
    """The changes with a line around them; nothing where they are half of the page or beyond the budget."""
    lines = "\n".join(changes.lines_of(hunks, last.snapshot.split("\n"), context=1))
    if len(lines) > min(len(now.snapshot) / 2, budget):
        return ""
    return f"{ONLY_CHANGES}\n{lines}".rstrip()


def _position(now: _Seen) -> Iterator[str]:
    if now.focus:
        yield f"Focus: {now.focus}"
    above, height, total = now.scroll
    if height and total > height + 1:
        below = max(total - height - above, 0)
        screens = f"screen {above / height + 1:.1f} of {total / height:.1f}"
        yield f"Scroll: {screens}, {above} px above, {below} px below"


async def _tab_lines(page: Page, tabs: Sequence[Page]) -> list[str]:
    """One line a tab where there is more than one; the titles are asked at the same time."""
    from playwright.async_api import Error

    async def told(index: int, tab: Page) -> str:
        try:
            title = await asyncio.wait_for(tab.title(), TITLE_SECONDS)
        except (Error, TimeoutError):
            title = "(it does not answer)"
        return f"- {index}: {_short(title)} {_short(tab.url)}{' (current)' if tab is page else ''}"

    if len(tabs) < 2:
        return []
    return ["Tabs:", *await asyncio.gather(*(told(i, tab) for i, tab in enumerate(tabs)))]


def _short(line: str, length: int = _LINE_LENGTH) -> str:
    return line if len(line) <= length else f"{line[:length]}..."
