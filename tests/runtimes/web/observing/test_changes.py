"""Line differences: exact where that is quick, in short where two pages have little in common."""

from __future__ import annotations

import pytest

from runtimes.web.observation.changes import MOST_COMPARED, changes, counted, lines_of

OLD = ["a", "b", "c", "d", "e", "f", "g"]


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        [],
        ["x"],
        ["a", "b", "X", "d", "e", "f", "g"],
        ["b", "c", "e", "f", "g", "h"],
        [*OLD, *OLD],
        OLD[::-1],
    ],
)
def test_applied_to_the_old_lines_the_changes_give_the_new_ones(new: list[str]) -> None:
    made, at = [], 0
    for hunk in changes(OLD, new):
        assert OLD[hunk.start : hunk.end] == hunk.removed
        made += OLD[at : hunk.start] + hunk.added
        at = hunk.end
    assert made + OLD[at:] == new


def test_changes_are_written_with_the_lines_around_them() -> None:
    hunks = changes(OLD, ["a", "b", "X", "d", "e", "f", "Y"])
    assert counted(hunks) == "+2 -2 lines"
    assert lines_of(hunks, OLD) == ["- c", "+ X", "- g", "+ Y"]
    around = ["  ...", "  b", "- c", "+ X", "  d", "  ...", "  f", "- g", "+ Y"]
    assert lines_of(hunks, OLD, context=1) == around
    hunks = changes(OLD, ["a", "X", "c", "Y", *OLD[4:]])
    assert lines_of(hunks, OLD, context=1) == ["  a", "- b", "+ X", "  c", "- d", "+ Y", "  e"]
    assert lines_of([], OLD, context=1) == []


def test_pages_with_little_in_common_are_compared_without_their_order() -> None:
    old = [f"{n}" for n in range(MOST_COMPARED)]
    new = [*reversed(old), "new"]
    hunks = changes(["same", *old, "end"], ["same", *new, "end"])
    assert counted(hunks) == "+1 -0 lines"
    assert lines_of(hunks, ["same", *old, "end"], context=1) == ["  same", "+ new", "  end"]
