"""Gates: whether a candidate may enter the pool. Each says why not; the first that refuses decides."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from runtimes.contracts import TaskSpec, check_task_id
from runtimes.errors import InvalidTask
from runtimes.grading.base import check_verifier
from runtimes.tools.constraints import check_constraints

MAX_DESCRIPTION = 8_000
NEAR_COPY = 0.7
"""Jaccard similarity of word 3-grams from which two descriptions count as copies of one another."""


@dataclass(frozen=True)
class Verdict:
    """What the gates decided; `gate` is the one that refused, or the last."""

    accepted: bool
    gate: str
    reason: str = ""


class Gates:
    """Judges candidates one after another; an accepted one counts as known for those that follow.

    By task type: `tools` are the names that can be granted, `known` the descriptions the pool holds.
    """

    def __init__(self, tools: dict[str, list[str]], known: dict[str, Iterable[str]]) -> None:
        self._tools = tools
        self._known = {
            kind: [shingles(description) for description in descriptions]
            for kind, descriptions in known.items()
        }
        self._in_order: tuple[tuple[str, Callable[[TaskSpec], str]], ...] = (
            ("schema", self._schema),
            ("tools", self._tools_exist),
            ("verifier", self._verifier),
            ("novelty", self._novelty),
        )

    def judge(self, task: TaskSpec) -> Verdict:
        for gate, refuse in self._in_order:
            if reason := refuse(task):
                return Verdict(False, gate, reason)
        self._known.setdefault(task.task_type, []).append(shingles(task.description))
        return Verdict(True, self._in_order[-1][0])

    def _schema(self, task: TaskSpec) -> str:
        try:
            check_task_id(task.task_id)
            check_constraints(task)
        except InvalidTask as error:
            return str(error)
        if len(task.description) > MAX_DESCRIPTION:
            return f"the description has {len(task.description):,} characters, more than {MAX_DESCRIPTION:,}"
        return ""

    def _tools_exist(self, task: TaskSpec) -> str:
        unknown = sorted(set(task.expected_tools) - set(self._tools.get(task.task_type, ())))
        return f"{task.task_type} tasks have no tool {', '.join(unknown)}" if unknown else ""

    def _verifier(self, task: TaskSpec) -> str:
        if task.verifier is None:
            return "there is no verifier"
        try:
            check_verifier(task.verifier)
        except InvalidTask as error:
            return str(error)
        return ""

    def _novelty(self, task: TaskSpec) -> str:
        own = shingles(task.description)
        for other in self._known.get(task.task_type, ()):
            similarity = jaccard(own, other)
            if similarity >= NEAR_COPY:
                return f"a near copy of a known task (similarity {similarity:.2f})"
        return ""


def shingles(text: str) -> frozenset[str]:
    """The word 3-grams of a text; where a language writes no spaces, a character counts as a word."""
    words: list[str] = []
    for word in unicodedata.normalize("NFKC", text).casefold().split():
        words.extend(word if any(ord(c) > 0x2E7F for c in word) else [word])
    if len(words) < 3:
        return frozenset(words)
    return frozenset(" ".join(words[i : i + 3]) for i in range(len(words) - 2))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared over all; 0 for two empty sets."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0
