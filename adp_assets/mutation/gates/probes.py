"""What a verifier is asked to see whether it is sound: a right answer, and wrong ones made of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from runtimes.contracts import TaskSpec, Verifier
from runtimes.grading.python_tests import source_of

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


class Probe(NamedTuple):
    """One answer to a verifier: what it is, in words, and whether it should pass."""

    what: str
    answer: str
    passes: bool = False


def probes(task: TaskSpec, reference: str, *, reads_answer: bool = True) -> list[Probe]:
    """The reference where there is one, an empty answer, then wrong ones, the likeliest to pass first.

    Wrong code gives nothing or fails, a wrong text has another number or other words, and no task's own
    words answer it. Where the verifier does not read the answer, an empty one stands for all.
    """
    assert task.verifier is not None
    right = [Probe("the reference", reference, True)] if reference else []
    if not reads_answer:
        return [*right, Probe("an empty answer", "")]
    kinds = Kinds.of(task.verifier)
    wrong = list(_wrong_code(reference)) if kinds.code else []
    if kinds.json:
        wrong.append(Probe("JSON of no use", '{"wrong": ["answer"]}'))
    if kinds.text and reference:
        wrong.append(Probe("the reference with another end", another(reference)))
    wrong.append(Probe("the task's own words", task.description))
    return [*right, Probe("an empty answer", ""), *wrong]


def another(reference: str) -> str:
    """The reference with its last number far off, or with other words where it has none."""
    numbers = list(_NUMBER.finditer(reference))
    if not numbers:
        return f"not {reference[::-1]}"
    last = numbers[-1]
    value = float(last.group())
    off = abs(value) * 3 + 1_017
    return reference[: last.start()] + f"{off:.0f}" + reference[last.end() :]


def _wrong_code(reference: str) -> Iterator[Probe]:
    names = _names(source_of(reference))
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
