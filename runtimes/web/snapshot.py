"""Aria snapshots as text that fits a model's context. Text in, text out; nothing here talks to a browser."""

from __future__ import annotations

import re
from typing import NamedTuple

BUDGET = 12_000
"""Characters a page may take of an observation; a page beyond it is shown as far as the viewport reaches."""

_BOX = re.compile(r" \[box=(-?\d+),(-?\d+),(\d+),(\d+)\]")


class Viewport(NamedTuple):
    width: int
    height: int


def in_viewport(snapshot: str, viewport: Viewport) -> str:
    """The lines of a snapshot taken with boxes whose element is in the viewport, and their ancestors.

    A line without a box (text, a link's address) goes with the element it belongs to. The boxes themselves
    are left out; a first line says how many lines are not shown.
    """
    lines = snapshot.split("\n")
    shown = [False] * len(lines)
    ancestors: list[tuple[int, int, bool, tuple[int, int]]] = []
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        while ancestors and ancestors[-1][1] >= indent:
            ancestors.pop()
        visible, origin = (ancestors[-1][2], ancestors[-1][3]) if ancestors else (True, (0, 0))
        if box := _BOX.search(line):
            x, y, width, height = map(int, box.groups())
            x, y = x + origin[0], y + origin[1]
            visible = x < viewport.width and y < viewport.height and x + width > 0 and y + height > 0
            if line.lstrip().startswith("- iframe"):
                origin = (x, y)
        ancestors.append((i, indent, visible, origin))
        if visible:
            for index, *_ in ancestors:
                shown[index] = True
    kept = [_BOX.sub("", line) for line, keep in zip(lines, shown, strict=True) if keep]
    hidden = len(lines) - len(kept)
    return "\n".join(
        [f"(long page: {hidden} lines outside the viewport not shown; scroll to see them)", *kept]
    )


def cut(text: str, budget: int, remedy: str) -> str:
    """`text` within `budget` characters, cut after a whole line where there is one, with the cut said."""
    if len(text) <= budget:
        return text
    end = text.rfind("\n", 0, budget)
    end = end if end > budget // 2 else budget
    return f"{text[:end]}\n(cut: {len(text) - end} more characters not shown; {remedy})"
