"""When two JSON values are the same, and reading JSON that an agent wrote."""

from __future__ import annotations

import json
import math
from typing import Any

from runtimes.text import shallow


def same_json(value: Any, expected: Any, tolerance: float = 0.0) -> bool:
    """Equality of two JSON values; true and 1 differ, 1 and 1.0 do not.

    Floats are close to a relative 1e-9 or an absolute `tolerance`; with one, whole numbers too.
    """
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    if isinstance(value, int | float) and isinstance(expected, int | float):
        return value == expected or _close(value, expected, tolerance)
    if isinstance(value, list) and isinstance(expected, list):
        same_length = len(value) == len(expected)
        return same_length and all(same_json(a, b, tolerance) for a, b in zip(value, expected, strict=True))
    if isinstance(value, dict) and isinstance(expected, dict):
        same_keys = value.keys() == expected.keys()
        return same_keys and all(same_json(value[key], expected[key], tolerance) for key in value)
    return bool(value == expected)


def strict_json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError for what JSON itself leaves open or forbids.

    A name twice in one object, NaN, infinities, numbers beyond what a float holds, nesting too deep.
    """
    try:
        value = json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return shallow(value)


def _close(value: float, expected: float, tolerance: float) -> bool:
    """Whether two numbers are close; whole ones have to be equal without a tolerance, however large."""
    if isinstance(value, int) and isinstance(expected, int) and not tolerance:
        return False
    try:
        return math.isclose(value, expected, rel_tol=1e-9, abs_tol=tolerance)
    except OverflowError:
        return False


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice in one object")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is too large")
    return number
