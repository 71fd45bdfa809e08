"""What a verifier is asked to see whether it is sound: a right answer, and wrong ones made of it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from adp_assets.mutation.gates.wrong_code import wrong_modules
from adp_assets.mutation.tolerances import numbers_in, wrong_by
from runtimes.contracts import TaskSpec, Verifier
from runtimes.grading.json_value import answered_value
from runtimes.grading.python_tests import source_of

CODE = frozenset({"python_tests", "stdio"})
"""Kinds whose answers are code."""

_NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?")


class Kinds(NamedTuple):
    """What a verifier's answers may be: code, and if so modules only, JSON, or (also) plain text."""

    code: bool
    module: bool
    json: bool
    text: bool

    @classmethod
    def of(cls, verifier: Verifier) -> Kinds:
        kinds = set(_kinds(verifier.kind, verifier.spec))
        return cls(bool(kinds & CODE), kinds & CODE == {"python_tests"}, "json" in kinds, bool(kinds - CODE))


class Probe(NamedTuple):
    """One answer to a verifier: what it is, in words, and whether it should pass."""

    what: str
    answer: str
    passes: bool = False


def probes(task: TaskSpec, reference: str, *, reads_answer: bool = True) -> list[Probe]:
    """The reference where there is one, an empty answer, then wrong ones, the likeliest to pass first.

    Wrong code is a little off, gives nothing or fails; a wrong text has another number, far off and near, or
    other words; wrong JSON other values; and no task's own words answer it. What is near differs from what
    is right by more than a tolerance may allow (`tolerances`), so a sound verifier refuses all of them.
    Where the verifier does not read the answer, an empty one stands for all.
    """
    assert task.verifier is not None
    right = [Probe("the reference", reference, True)] if reference else []
    if not reads_answer:
        return [*right, Probe("an empty answer", "")]
    kinds = Kinds.of(task.verifier)
    wrong = list(_wrong_code(reference, kinds)) if kinds.code else []
    if kinds.json:
        wrong.append(Probe("JSON of no use", '{"wrong": ["answer"]}'))
        wrong += _wrong_json(reference)
    if kinds.text and reference:
        wrong.append(Probe("the reference with another end", another(reference)))
        wrong += _near(reference)
    wrong.append(Probe("the task's own words", task.description))
    return [*right, Probe("an empty answer", ""), *wrong]


def another(reference: str) -> str:
    """The reference with its last number far off, or with other words where it has none."""
    numbers = list(_NUMBER.finditer(reference))
    if not numbers:
        return f"not {reference[::-1]}"
    last = numbers[-1]
    off = abs(_value(last)) * 3 + 1_017
    return reference[: last.start()] + f"{off:.0f}" + reference[last.end() :]


def _near(reference: str) -> Iterator[Probe]:
    for last in list(_NUMBER.finditer(reference))[-1:]:
        value = _value(last)
        near = reference[: last.start()] + f"{value + wrong_by(value):.10g}" + reference[last.end() :]
        yield Probe("the reference with its number a little off", near)


def _value(number: re.Match[str]) -> float:
    return float(number.group().replace(",", ""))


def _wrong_json(reference: str) -> Iterator[Probe]:
    try:
        value = answered_value(reference)
    except ValueError:
        return
    yield Probe("JSON that is a little off", json.dumps(_off(value)))


def _off(value: Any) -> Any:
    """A JSON value with all its numbers a little off; without any, with another last member."""
    if any(True for _ in numbers_in(value)):
        return _with_other_numbers(value)
    if isinstance(value, dict) and value:
        *others, (name, last) = value.items()
        return {**dict(others), name: _off(last)}
    if isinstance(value, list) and value:
        return [*value[:-1], _off(value[-1])]
    return not value if isinstance(value, bool) else f"{value}, or not"


def _with_other_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_other_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_other_numbers(each) for each in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return value + (int(wrong_by(value)) if isinstance(value, int) else wrong_by(value))


def _wrong_code(reference: str, kinds: Kinds) -> Iterator[Probe]:
    source = source_of(reference)
    names = _names(source)
    if kinds.module:
        for what, module in wrong_modules(source).items():
            yield Probe(what, module)
    if not names:
        yield Probe("a program that does nothing", "pass")
        yield Probe("a program that fails", "raise RuntimeError('wrong on purpose')")
        return
    for what, body in (
        ("code that returns None", "return None"),
        ("code that raises", "raise RuntimeError('wrong on purpose')"),
    ):
        stubs = (f"def {name}(*args, **options):\n    {body}" for name in names)
        yield Probe(what, "\n\n".join(stubs))


def _names(source: str) -> list[str]:
    """The functions and classes that code defines; none where it is no Python."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [
        node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]


def _kinds(kind: str, spec: dict[str, object]) -> Iterator[str]:
    """The kind of a verifier, or those of the parts that it is made of."""
    parts = spec.get("parts")
    if not isinstance(parts, list):
        yield kind
        return
    for part in parts:
        if isinstance(part, dict):
            own = part.get("spec")
            yield from _kinds(str(part.get("kind")), own if isinstance(own, dict) else {})
