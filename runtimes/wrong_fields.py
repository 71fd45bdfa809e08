"""What msgspec finds wrong with a part of a task, told by its place in the whole and with what is allowed."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from msgspec.inspect import (
    AnyType,
    DictType,
    ListType,
    LiteralType,
    StructType,
    Type,
    UnionType,
    VarTupleType,
    type_info,
)

from runtimes.errors import InvalidTask

T = TypeVar("T")

_SAID = re.compile(r"(?P<fault>.*?)(?: - at (?P<key>`key` in )?`\$(?P<below>.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)


def read_part(plain: Any, kind: type[T], place: str) -> T:
    """`plain`, which stands at `place` (such as `$.verifier.spec`) of a task, as a `kind`.

    Raises InvalidTask naming the place and, of an unknown field or a wrong word, what is allowed there.
    """
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise InvalidTask(_complaint(str(error), kind, place)) from error


def _complaint(said: str, kind: type, place: str) -> str:
    parts = _SAID.fullmatch(said)
    assert parts is not None
    fault, below = parts["fault"], parts["below"] or ""
    allowed = _allowed(fault, _type_at(kind, below))
    if unknown := _UNKNOWN.fullmatch(fault):
        below = f"{below}.{unknown[1]}"
    return f"{fault} - at {parts['key'] or ''}`{place}{below}`{allowed}."


def _allowed(fault: str, kind: Type) -> str:
    if fault.startswith("Object contains unknown field"):
        names = [
            field.encode_name for one in _members(kind) if isinstance(one, StructType) for field in one.fields
        ]
        return f"; its fields are {_listed(names)}" if names else ""
    if fault.startswith("Invalid enum value"):
        words = [word for one in _members(kind) if isinstance(one, LiteralType) for word in one.values]
        return f"; allowed are {_listed(words)}" if words else ""
    return ""


def _type_at(kind: type, below: str) -> Type:
    """The type of what stands at `below`, a path as msgspec writes it, in a `kind`."""
    found = type_info(kind)
    for name, _ in re.findall(r"\.(\w+)|(\[[^\]]*\])", below):
        found = next((inner for one in _members(found) if (inner := _inner(one, name))), AnyType())
    return found


def _inner(kind: Type, name: str) -> Type | None:
    """What is in a field of this name, or, without a name, what is in a container."""
    if isinstance(kind, StructType):
        return next((field.type for field in kind.fields if field.encode_name == name), None)
    if isinstance(kind, ListType | VarTupleType):
        return kind.item_type
    return kind.value_type if isinstance(kind, DictType) else None


def _members(kind: Type) -> tuple[Type, ...]:
    return kind.types if isinstance(kind, UnionType) else (kind,)


def _listed(words: list[Any]) -> str:
    return ", ".join(f"`{word}`" for word in words)
