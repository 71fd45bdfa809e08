"""Aria snapshots as text that fits a model's context. Text in, text out; nothing here talks to a browser."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

BUDGET = 12_000
"""Characters a page may take of an observation; a page beyond it is shown as far as the viewport reaches."""

_BOX = re.compile(r" \[box=(-?\d+),(-?\d+),(\d+),(\d+)\]")


_KEY = r"""^( *- '?[\w#.-]+(?: "(?:[^"\\]|\\.)*")?(?: \[[^\]]*\])*?)"""
"""Of a line: the role, the name, attributes as far as needed. Text that only looks like one comes later."""

_REF = re.compile(_KEY + r" \[ref=(\w+)\]", re.MULTILINE)
_ACTIVE = re.compile(_KEY + r" \[active\]", re.MULTILINE)


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


def refs(snapshot: str) -> dict[str, str]:
    """The refs of a snapshot, in its order, each with what it stands for, such as 'button "Search"'."""
    return {ref: element.strip(" -'") for element, ref in _REF.findall(snapshot)}


def without_focus(snapshot: str) -> str:
    """The snapshot as it is wherever the focus may be."""
    if " [active]" not in snapshot:
        return snapshot
    return "\n".join(
        _ACTIVE.sub(r"\1", line) if " [active]" in line else line for line in snapshot.split("\n")
    )


def without_refs(snapshot: str) -> str:
    """What there is to read; two snapshots of equal pages differ in refs where elements were made anew."""
    return _REF.sub(r"\1", snapshot)


def marked(snapshot: str, marks: dict[str, str]) -> str:
    """The snapshot with its mark behind each ref in `marks`, such as "e12" to "[clickable]".

    A line that shows the pointer's cursor needs no "[clickable]".
    """

    def mark(match: re.Match[str]) -> str:
        word = marks.get(match[2], "")
        if word == "[clickable]" and snapshot.startswith(" [cursor=pointer]", match.end()):
            return match[0]
        return f"{match[0]} {word}" if word else match[0]

    return _REF.sub(mark, snapshot) if marks else snapshot


def around_viewport(snapshot: str, visible: Collection[str]) -> str:
    """The lines whose element is in the viewport, and their ancestors; a first line says how many are not.

    `visible` are the refs in the viewport, of frames in theirs. A line without a ref (text, a link's address)
    goes with the element it belongs to, and what is in a frame goes with the frame.
    """
    lines = snapshot.split("\n")
    shown = [False] * len(lines)
    ancestors: list[tuple[int, int, bool, bool]] = []
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        while ancestors and ancestors[-1][1] >= indent:
            ancestors.pop()
        seen, in_hidden_frame = ancestors[-1][2:] if ancestors else (True, False)
        if not in_hidden_frame and (key := _REF.match(line)):
            seen = key[2] in visible
            in_hidden_frame = not seen and line.lstrip(" -'").startswith("iframe")
        ancestors.append((i, indent, seen, in_hidden_frame))
        if seen:
            for index, *_ in ancestors:
                shown[index] = True
    kept = [line for line, keep in zip(lines, shown, strict=True) if keep]
    hidden = len(lines) - len(kept)
    note = f"(long page: {hidden} lines outside the viewport not shown; scroll to see them)"
    return "\n".join([note, *kept]) if hidden else snapshot
