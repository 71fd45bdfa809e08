"""Holds a call's arguments against its tool's schema, in a time that who wrote them cannot draw out.

Schemas come from servers and skills, arguments from agents: a pattern that takes for ever on the right text
would stop all episodes of the process. What is not checked here is left to the tool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema import ValidationError

MOST_UNIQUE = 1_000
"""Members that are compared with each other."""


def mistake_in(schema: dict[str, Any]) -> str:
    """Why this is no JSON schema of draft 2020-12; empty for one."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return str(error.message)
    return ""


def schema_fault(schema: dict[str, Any], arguments: Any) -> ValidationError | None:
    """What the arguments have against the schema, draft 2020-12; None for valid ones.

    Patterns are searched in linear time, by an engine without look-around and back references; those that
    need these, `patternProperties` and `unevaluatedProperties` are not checked.
    """
    from jsonschema.exceptions import best_match

    fault: ValidationError | None = best_match(_validator()(schema).iter_errors(arguments))
    return fault


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    plain = Draft202012Validator.VALIDATORS
    return extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        {
            "pattern": _pattern,
            "patternProperties": _unchecked,
            "unevaluatedProperties": _unchecked,
            "additionalProperties": _unless("patternProperties", plain["additionalProperties"]),
            "uniqueItems": _few(plain["uniqueItems"]),
        },
    )


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if validator.is_type(value, "string") and not _search(pattern)(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _unchecked(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    return iter(())


def _unless(other: str, check: Callable[..., Any]) -> Callable[..., Any]:
    def checked(validator: Any, wanted: Any, value: Any, schema: Any) -> Any:
        return () if other in schema else check(validator, wanted, value, schema)

    return checked


def _few(check: Callable[..., Any]) -> Callable[..., Any]:
    def checked(validator: Any, wanted: Any, value: Any, schema: Any) -> Any:
        many = isinstance(value, list) and len(value) > MOST_UNIQUE
        return () if many else check(validator, wanted, value, schema)

    return checked


@lru_cache(maxsize=1_000)
def _search(pattern: str) -> Callable[[str], bool]:
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern)).isinstance_python
    except SchemaError:
        return lambda text: True
