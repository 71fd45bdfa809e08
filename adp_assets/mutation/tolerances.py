"""How far off a number is wrong for sure, and how much of that a new verifier may allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

MOST_COUNTED = 1e8
"""Whole numbers below are told from their neighbours by a verifier's default tolerance, a share of 1e-9."""

_LARGEST = 1e300
_SHARE = 0.1
"""Of what makes a number wrong, so much may be allowed."""


def wrong_by(value: float) -> float:
    """How far off `value` a number is wrong, however values are rounded on the way to it.

    One for a whole number, since most of them count something; else a tenth and 5 % of it.
    """
    size = min(abs(value), _LARGEST)
    return 1.0 if size < MOST_COUNTED and size % 1 == 0 else 0.1 + 0.05 * size


def with_bounds(spec: dict[str, Any], values: Iterable[float]) -> dict[str, Any]:
    """The spec of a verifier that expects these numbers, each of its tolerances no larger than it may be.

    What is no number is left for whoever reads the spec to refuse.
    """
    bounded = dict(spec)
    for value in values:
        most = _SHARE * wrong_by(value)
        shares = {"tolerance": 1.0, "relative_tolerance": min(abs(value), _LARGEST)}
        for name, share in shares.items():
            given = bounded.get(name)
            if isinstance(given, int | float) and given * share > most:
                bounded[name] = most / share
    return bounded


def numbers_in(value: Any) -> Iterator[float]:
    """Every number in a JSON value; true and false are none."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value
