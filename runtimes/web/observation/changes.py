"""What changed between two snapshots, line by line. Text in, text out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

MOST_COMPARED = 1_000
"""Lines two snapshots may differ by to be compared in order, which takes their product in the worst case."""


class Hunk(NamedTuple):
    """A stretch of the old text, lines `start` to `end`, in which lines went and others came."""

    start: int
    end: int
    removed: list[str]
    added: list[str]


def changes(old: Sequence[str], new: Sequence[str]) -> list[Hunk]:
    """The changes that make `new` of `old`, first to last.

    What differs by more than MOST_COMPARED lines is one hunk, of the lines that only one side has.
    """
    first = 0
    shortest = min(len(old), len(new))
    while first < shortest and old[first] == new[first]:
        first += 1
    last = 0
    while last < shortest - first and old[-1 - last] == new[-1 - last]:
        last += 1
    before, after = old[first : len(old) - last], new[first : len(new) - last]
    if len(before) + len(after) > MOST_COMPARED:
        return [Hunk(first, first + len(before), _only(before, after), _only(after, before))]
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    return [
        Hunk(first + i, first + j, list(before[i:j]), list(after[m:n]))
        for tag, i, j, m, n in matcher.get_opcodes()
        if tag != "equal"
    ]


def counted(hunks: Sequence[Hunk]) -> str:
    """In short: "+2 -1 lines"."""
    added = sum(len(hunk.added) for hunk in hunks)
    removed = sum(len(hunk.removed) for hunk in hunks)
    return f"+{added} -{removed} lines"


def lines_of(hunks: Sequence[Hunk], old: Sequence[str], context: int = 0) -> list[str]:
    """The hunks as lines that begin with "+ " or "- ", with `context` unchanged lines on either side."""
    lines: list[str] = []
    told = 0
    for hunk, following in zip(hunks, [*(hunk.start for hunk in hunks[1:]), len(old)], strict=False):
        begin = max(hunk.start - context, told)
        if context and begin > told:
            lines.append("  ...")
        lines += [f"  {line}" for line in old[begin : hunk.start]]
        lines += [f"- {line}" for line in hunk.removed]
        lines += [f"+ {line}" for line in hunk.added]
        told = min(hunk.end + context, following)
        lines += [f"  {line}" for line in old[hunk.end : told]]
    return lines


def _only(lines: Sequence[str], others: Sequence[str]) -> list[str]:
    """The lines there are more of than in `others`, in their order."""
    left = Counter(lines) - Counter(others)
    found = []
    for line in lines:
        if left[line] > 0:
            left[line] -= 1
            found.append(line)
    return found
