"""Values as plain JSON between the sandbox of the tests and that of the submission.

Only data crosses: numbers, texts, the usual collections and a few values of the standard library, each of
exactly its type. What a subclass overrides stays behind, so no comparison, hash or text of it can lie. Other
things stay where they are and travel as a number that the other side may call, step through or ask.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import re
import types
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

JSON_INTEGER = 1 << 63
_DATES: dict[str, Any] = {"datetime": datetime.datetime, "date": datetime.date, "time": datetime.time}
_VIEWS: tuple[type[Any], ...] = (type({}.keys()), type({}.values()), type({}.items()))
_DTYPE = re.compile(
    r"bool|object|u?int\d+|float\d+|complex\d+|[<>|]?[US]\d+|(datetime|timedelta)64(\[\w+\])?"
)
_COLLECTIONS: dict[str, type[Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": deque,
}


class NotData(TypeError):
    """A value that cannot cross."""


class Wire:
    """One side's codec. `kept` are its own things that the other side holds by number.

    `stand_in` makes what stands here for a thing of the other side, of its number, form and type's name.
    """

    def __init__(self, stand_in: Callable[[int, str, str], Any]) -> None:
        self.kept: dict[int, Any] = {}
        self._stand_in = stand_in

    def pack(self, value: Any) -> Any:
        """`value` as JSON has it. Raises NotData, RecursionError for what holds itself."""
        if value is None or isinstance(value, bool):
            return value
        if (number := getattr(type(value), "number_over_there", None)) is not None:
            return ["yours", number(value)]
        for name, kind in _COLLECTIONS.items():
            if isinstance(value, kind):
                return [name, [self.pack(member) for member in kind.__iter__(value)]]
        if isinstance(value, dict):
            return ["dict", [[self.pack(key), self.pack(member)] for key, member in dict.items(value)]]
        if isinstance(value, _VIEWS):
            return ["list", [self.pack(member) for member in value]]
        scalar = _scalar(value)
        return self._foreign(value) if scalar is None else scalar

    def _foreign(self, value: Any) -> Any:
        if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
            plain = self.pack(value.tolist())
            return ["array", plain, str(value.dtype)] if getattr(value, "shape", ()) else plain
        form = "function" if callable(value) else "stream" if isinstance(value, Iterator) else "object"
        self.kept[id(value)] = value
        return ["mine", id(value), form, type(value).__name__[:80]]

    def unpack(self, data: Any) -> Any:
        """The value of what the other side packed. Raises NotData for what none does."""
        if data is None or isinstance(data, bool | int | float | str):
            return data
        try:
            tag, *parts = data
            if tag in _COLLECTIONS:
                return _COLLECTIONS[tag](self.unpack(member) for member in parts[0])
            if tag == "dict":
                return {self.unpack(key): self.unpack(member) for key, member in parts[0]}
            if tag == "array":
                return _array(self.unpack(parts[0]), parts[1])
            if tag == "mine":
                number, form, name = parts
                return self._stand_in(int(number), str(form), str(name))
            if tag == "yours":
                return self.kept[int(parts[0])]
            return _scalar_of(tag, parts)
        except NotData:
            raise
        except (ValueError, TypeError, KeyError, IndexError, ArithmeticError) as error:
            raise NotData(f"no value that can cross: {type(error).__name__}") from error


def _scalar(value: Any) -> Any:
    """A number, text, bytes or date as JSON has it; None for anything else."""
    if isinstance(value, int):
        plain = int.__int__(value)
        return plain if -JSON_INTEGER < plain < JSON_INTEGER else ["int", hex(plain)]
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes | bytearray):
        return ["bytearray" if isinstance(value, bytearray) else "bytes", bytes(value).hex()]
    if isinstance(value, complex):
        return ["complex", value.real, value.imag]
    if isinstance(value, decimal.Decimal):
        return ["decimal", decimal.Decimal.__str__(value)]
    if isinstance(value, fractions.Fraction):
        return ["fraction", hex(value.numerator), hex(value.denominator)]
    if isinstance(value, range):
        return ["range", value.start, value.stop, value.step]
    if isinstance(value, datetime.timedelta):
        return ["timedelta", value.days, value.seconds, value.microseconds]
    for name, kind in _DATES.items():
        if isinstance(value, kind):
            return [name, kind.isoformat(value)]
    return ["ellipsis"] if isinstance(value, types.EllipsisType) else None


def _scalar_of(tag: str, parts: list[Any]) -> Any:
    if tag == "int":
        return int(parts[0], 16)
    if tag in ("bytes", "bytearray"):
        plain = bytes.fromhex(parts[0])
        return plain if tag == "bytes" else bytearray(plain)
    if tag == "complex":
        return complex(*parts)
    if tag == "decimal":
        return decimal.Decimal(parts[0])
    if tag == "fraction":
        return fractions.Fraction(int(parts[0], 16), int(parts[1], 16))
    if tag == "range":
        return range(*parts)
    if tag == "timedelta":
        return datetime.timedelta(*parts)
    if tag == "ellipsis":
        return ...
    return _DATES[tag].fromisoformat(parts[0])


def _array(members: Any, dtype: str) -> Any:
    """A numpy array where there is numpy, else a list. Its shape is that of its members."""
    if not _DTYPE.fullmatch(dtype):
        raise NotData("an array of no plain type")
    try:
        import numpy
    except ImportError:
        return members
    return numpy.array(members, dtype=dtype)
