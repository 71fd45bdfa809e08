"""Code tasks with one more constraint: on the form of the value that the function gives."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, ClassVar

from runtimes.contracts import Verifier
from runtimes.llm.teacher.families.base import Solution, Start, finish
from runtimes.llm.teacher.families.bound import Bound, BoundFamily, Rule
from runtimes.llm.teacher.families.parts import (
    Part,
    answer_of,
)
from runtimes.llm.teacher.wording import QUOTED, Choice, Either, Phrased

_FORMS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "json": ("json.dumps({v}, sort_keys=True)", lambda value, _: json.dumps(value, sort_keys=True)),
    "key": ("{{{k!r}: {v}}}", lambda value, key: {key: value}),
}


class CodeBoundFamily(BoundFamily):
    """A function whose value is given another form."""

    name = "code_bound"
    task_type = "code"
    domain = "programming"
    tools: ClassVar = ("python_executor",)
    rule_field = Either(
        {
            "json": Phrased(
                (
                    "the function gives its value as JSON text, by json.dumps with {0}",
                    "函数以 JSON 文本给出其值,用 json.dumps,并设 {0}",
                ),
                Choice({"sorted": ("sort_keys=True", "sort_keys=True")}),
            ),
            "key": Phrased(
                (
                    "the value is wrapped in a dictionary under the one key {0}",
                    "返回值要装进字典,唯一的键为 {0}",
                ),
                QUOTED,
            ),
        }
    )

    def rules_for(self, part: Part) -> list[str]:
        return ["json", "key"]

    def some_rule(self, kind: str, rng: random.Random) -> Rule:
        keys = ["result", "answer", "value", "outcome", "found", "data", "reply", "output", "total", "state"]
        return kind, "sorted" if kind == "json" else rng.choice(keys)

    def verifier(self, params: Bound) -> Verifier:
        kind, about = params.rule
        cases = params.part.family.verifier(params.part.params).spec["cases"]
        form = _FORMS[kind][1]
        return Verifier(
            "python_tests", {"cases": [{**case, "expected": form(case["expected"], about)} for case in cases]}
        )

    def solution(self, params: Bound) -> str:
        return self._wrapped(params, params.part.family.solution(params.part.params))

    def solve(self, params: Bound, start: Start) -> Solution:
        source = yield from answer_of(params.part.family.solve(params.part.params, start))
        yield finish(
            self._wrapped(params, source), "The function works; now its value gets the form asked for."
        )

    def _wrapped(self, params: Bound, source: str) -> str:
        kind, about = params.rule
        name = params.part.params.name
        formed = _FORMS[kind][0].format(v="plain(argument)", k=about)
        return f"import json\n\n{source}\n\n\nplain = {name}\n\n\ndef {name}(argument):\n    return {formed}"
