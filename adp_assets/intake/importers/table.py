"""Rows of any JSON lines, CSV or Parquet file as tasks, by a map of the task's fields to their columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import msgspec

from adp_assets.intake.importers.rows import Row
from adp_assets.intake.importers.seeds import Origin, seed
from runtimes import plugins
from runtimes.contracts import TaskSpec
from runtimes.errors import ConfigurationError, InvalidTask
from runtimes.grading.base import GROUP
from runtimes.grading.values import strict_json

ANSWER = "answer"
GROUPS = ("metadata", "constraints", "verifier")
"""Fields that hold fields: `constraints.start_url`, `verifier.tolerance`."""


@dataclass(frozen=True)
class FieldMap:
    """Which column each field of a task is taken from, and which fields are the same in every task.

    `answer` is what the verifier of kind `verifier` is to expect; without an answer and other fields of a
    verifier the tasks have none.
    """

    columns: dict[str, str]
    constants: dict[str, str]
    verifier: str

    @classmethod
    def parse(cls, columns: Sequence[str], constants: Sequence[str], verifier: str) -> FieldMap:
        """From words such as `description=question`. Raises ConfigurationError naming the wrong one."""
        taken = dict(_pair(word, "--map") for word in columns)
        fixed = dict(_pair(word, "--set") for word in constants)
        if both := taken.keys() & fixed.keys():
            raise ConfigurationError(
                f"{min(both)} is both mapped and set.", "Leave out one of --map and --set for it."
            )
        kinds = plugins.names(GROUP)
        if verifier not in kinds:
            raise ConfigurationError(
                f"There is no verifier of kind {verifier!r}.", f"Known kinds: {', '.join(sorted(kinds))}."
            )
        for field in ("description", "task_type"):
            if field not in taken and field not in fixed:
                example = "--map description=question --set task_type=reasoning"
                raise ConfigurationError(f"Nothing says the tasks' {field}.", f"Such as: {example}.")
        return cls(taken, fixed, verifier)

    def task(self, origin: Origin, row: Row) -> TaskSpec:
        """The task of one row. Raises InvalidTask saying which field cannot be had."""
        given: dict[str, Any] = {field: _value(field, value) for field, value in self.constants.items()}
        for field, column in self.columns.items():
            value = _column(row, column)
            if value is None or value == "":
                if field in NEEDED:
                    raise InvalidTask(f"{column!r} is empty, which is to be the {field}.")
                continue
            given[field] = value if row.typed else _value(field, value)
        groups: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
        fields: dict[str, Any] = {}
        for field, value in given.items():
            group, _, name = field.partition(".")
            if name:
                groups[group][name] = value
            elif field == ANSWER:
                groups["verifier"]["expected"] = _expected(self.verifier, value)
            else:
                fields[field] = READERS[field](value)
        fields["constraints"] = {**fields.get("constraints", {}), **groups["constraints"]}
        if groups["verifier"]:
            fields["verifier"] = {"kind": self.verifier, "spec": groups["verifier"]}
        metadata = {**fields.pop("metadata", {}), **groups["metadata"]}
        return seed(origin, row.number, metadata=metadata, **fields)


def _pair(word: str, option: str) -> tuple[str, str]:
    field, equals, value = word.partition("=")
    if not equals or not value:
        raise ConfigurationError(
            f"{option} {word} is no field and value.", f"Such as: {option} description=question."
        )
    group, _, name = field.partition(".")
    if field not in (*READERS, ANSWER) and not (group in GROUPS and name):
        known = [*READERS, ANSWER]
        near = get_close_matches(field, known) or [*known, *(f"{each}.NAME" for each in GROUPS)]
        raise ConfigurationError(
            f"{option} {word}: a task has no field {field!r}.", f"It has: {', '.join(near)}."
        )
    return field, value


def _column(row: Row, column: str) -> Any:
    """A column's value; `a.b` is also `b` within the object `a`."""
    if column in row.values:
        return row.values[column]
    value: Any = row.values
    for part in column.split("."):
        if not isinstance(value, dict) or part not in value:
            known = ", ".join(list(row.values)[:20])
            raise InvalidTask(f"there is no column {column!r}.", f"Its columns: {known}.")
        value = value[part]
    return value


def _value(field: str, text: str) -> Any:
    """A text as this field: read as JSON, if it is some, within a group, whose fields have no fixed types."""
    return _typed(text) if field.partition(".")[0] in GROUPS else text


def _typed(text: str) -> Any:
    """What a text says where it is JSON, else the text."""
    try:
        return strict_json(text)
    except ValueError:
        return text


def _expected(verifier: str, value: Any) -> Any:
    if verifier == "numeric":
        return _number(value)
    if verifier in ("exact", "symbolic"):
        return _text(value)
    if verifier == "json" and isinstance(value, str):
        try:
            return strict_json(value)
        except ValueError as error:
            raise InvalidTask(f"the answer {value[:80]!r} is no JSON: {error}.") from error
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _number(value: Any) -> float:
    try:
        number = float(value.replace(",", "") if isinstance(value, str) else value)
        if isinstance(value, bool) or not math.isfinite(number):
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        raise InvalidTask(f"the answer {str(value)[:80]!r} is no number.") from None
    return number


def _whole(value: Any) -> Any:
    """A whole number, also where it is written as text or as a float."""
    number = _typed(value) if isinstance(value, str) else value
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _words(value: Any) -> Any:
    """A list of names, also where it is written as JSON or with commas between."""
    read = _typed(value) if isinstance(value, str) else value
    return [word.strip() for word in read.split(",") if word.strip()] if isinstance(read, str) else read


def _object(value: Any) -> dict[str, Any]:
    read = _typed(value) if isinstance(value, str) else value
    if not isinstance(read, dict):
        raise InvalidTask(f"{str(read)[:80]!r} is no JSON object.")
    return read


READERS: dict[str, Callable[[Any], Any]] = {
    "description": _text,
    "task_id": _text,
    "task_type": _text,
    "expected_tools": _words,
    "constraints": _object,
    "metadata": _object,
    "max_steps": _whole,
    "timeout": _whole,
    "priority": _whole,
}
"""How each plain field of a task is read from a column, which may hold text where it should not."""
NEEDED = frozenset({"description", ANSWER})
