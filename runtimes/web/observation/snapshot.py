"""Aria snapshots as text that fits a model's context. Text in, text out; nothing here talks to a browser."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

BUDGET = 12_000
"""Characters a page may take of an observation; a page beyond it is shown as far as the viewport reaches."""

_KEY = r"""^( *- '?[\w#.-]+(?: "(?:[^"\\]|\\.)*")?(?: \[[^\]]*\])*?)"""
"""Of a line: the role, the name, attributes as far as needed. Text that only looks like one comes later."""

_REF = re.compile(_KEY + r" \[ref=(\w+)\]", re.MULTILINE)
_PARTS = re.compile(r"(f[0-9]+)?([ex][0-9]+)")
_LONG_ADDRESS = re.compile(r"^( *- /url: .{500}).+$", re.MULTILINE)
_AROUND = re.compile(r" \[in=\w+\]$", re.MULTILINE)
_ACTIVE = re.compile(_KEY + r" \[active\]", re.MULTILINE)


class Viewport(NamedTuple):
    width: int
    height: int


def cut(text: str, budget: int, remedy: str) -> str:
    """`text` within `budget` characters, cut after a whole line where there is one, with the cut said."""
    if len(text) <= budget:
        return text
    end = text.rfind("\n", 0, budget)
    end = end if end > budget // 2 else budget
    return f"{text[:end]}\n(cut: {len(text) - end} more characters not shown; {remedy})"


def with_short_addresses(snapshot: str) -> str:
    """The snapshot without the ends of very long links, of which one could take a whole budget."""
    return _LONG_ADDRESS.sub(r"\1...", snapshot)


def split_ref(ref: str) -> tuple[str, str]:
    """A ref's frame ("" or "f1") and its number there ("e12", "x3"). Raises ValueError for what is no ref."""
    parts = _PARTS.fullmatch(ref)
    if parts is None:
        raise ValueError(f"{ref!r} is not a ref")
    return parts[1] or "", parts[2]


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
    parts = _REF.split(snapshot)
    del parts[2::3]  # the refs, each behind the key it stood with; much faster than a substitution
    return _AROUND.sub("", "".join(parts))


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
