"""Answers that no sound verifier lets pass, made of a right one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from runtimes.contracts import TaskSpec, Verifier
from runtimes.grading.python_tests import source_of

WrongAnswer = tuple[str, str]
"""What is wrong with it, in words, and the answer."""

CODE = frozenset({"python_tests", "stdio"})
"""Kinds whose answers are code."""

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class Kinds(NamedTuple):
    """What a verifier's answers may be: code, JSON, or (also) plain text."""

    code: bool
    json: bool
    text: bool

    @classmethod
    def of(cls, verifier: Verifier) -> Kinds:
        kinds = set(_kinds(verifier.kind, verifier.spec))
        return cls(bool(kinds & CODE), "json" in kinds, bool(kinds - CODE))


def empty() -> WrongAnswer:
    return "an empty answer", ""


def wrong_answers(task: TaskSpec, reference: str) -> Iterator[WrongAnswer]:
    """Wrong answers to a task whose right one is known, or empty; those first that only a bad verifier takes.

    Of code: what does nothing, gives nothing or fails; of text: another number, another text; the question.
    """
    assert task.verifier is not None
    kinds = Kinds.of(task.verifier)
    if kinds.code:
        yield from _wrong_code(reference)
    if kinds.json:
        yield "JSON of no use", '{"wrong": ["answer"]}'
    if kinds.text and reference:
        yield "the reference with another end", another(reference)
    yield "the task's own words", task.description


def another(reference: str) -> str:
    """The reference with its last number far off, or with other words where it has none."""
    numbers = list(_NUMBER.finditer(reference))
    if not numbers:
        return f"not {reference[::-1]}"
    last = numbers[-1]
    value = float(last.group())
    off = abs(value) * 3 + 1_017
    return reference[: last.start()] + f"{off:.0f}" + reference[last.end() :]


def _wrong_code(reference: str) -> Iterator[WrongAnswer]:
    names = _names(source_of(reference))
    if not names:
        yield "a program that does nothing", "pass"
        yield "a program that fails", "raise RuntimeError('wrong on purpose')"
        return
    for what, body in (
        ("code that returns None", "return None"),
        ("code that raises", "raise RuntimeError('wrong on purpose')"),
    ):
        yield what, "\n\n".join(f"def {name}(*args, **options):\n    {body}" for name in names)


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
