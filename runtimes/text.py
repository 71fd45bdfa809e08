"""Text and JSON that every later reader can take: what comes from agents is not always Unicode, or flat."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

DEEPEST = 100
"""Levels of nesting. What Python's own limit leaves depends on who calls, so nobody shall come near it."""


def well_formed(text: str) -> str:
    """The text with lone surrogates, which no UTF-8 file can hold, replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def readable(text: str) -> str:
    """The text with lone surrogates and NUL, which not every database can hold, replaced."""
    return well_formed(text).replace("\0", "\N{REPLACEMENT CHARACTER}")


def well_formed_json(value: Any) -> Any:
    """The same through all of a JSON value, keys included."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, dict):
        return {well_formed(key): well_formed_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [well_formed_json(item) for item in value]
    return value


def shallow(value: Any) -> Any:
    """The value itself. Raises ValueError where it is nested deeper than DEEPEST."""
    level = [value]
    for _ in range(DEEPEST):
        level = [member for each in level for member in _members(each)]
        if not level:
            return value
    raise ValueError("it is nested too deeply")


def storable(value: Any) -> Any:
    """The value itself. Raises ValueError where no file and no database could hold it, or give it back.

    That is text with lone surrogates or NUL, and numbers that are infinite or none.
    """
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, str) and ("\0" in each or well_formed(each) != each):
            raise ValueError("it holds text that is no Unicode, or NUL")
        if isinstance(each, float) and not math.isfinite(each):
            raise ValueError("it holds a number that is not finite")
        left += [*each, *each.values()] if isinstance(each, dict) else _members(each)
    return value


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()
