"""Tasks with one more constraint on what is handed in: on the form of a value, a rounding, a last word."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

from runtimes.contracts import Verifier
from runtimes.llm.teacher.browsing import SHOP
from runtimes.llm.teacher.families.base import GaveUp, Solution, Start, finish
from runtimes.llm.teacher.families.parts import (
    BuiltFamily,
    Part,
    answer_of,
    checks_of,
    is_figure,
    is_reckoned,
    printed_by,
    reckoned,
)
from runtimes.llm.teacher.wording import QUOTED, Choice, Either, Field, Language, Number, Phrased

Rule = tuple[str, Any]
"""A kind of constraint and the number or the word in it."""

_ROUNDED = 100
"""Figures are brought to cents before a rule is applied, so that no float's dust decides."""


@dataclass(frozen=True)
class Bound:
    """A task whose result keeps to `rule`."""

    part: Part
    rule: Rule


class BoundFamily(BuiltFamily[Bound]):
    """What tasks with a constraint of every task type have in common."""

    params = Bound
    rule_field: ClassVar[Field]

    @property
    def frames(self) -> dict[Language, tuple[str, ...]]:
        return {
            "en": (
                "{task} One condition on top: {rule}.",
                "Mind this rule before you begin: {rule}. And here is the task. {task}",
                "{task} I can only use the result if you obey the following: {rule}.",
            ),
            "zh": (
                "{task}另有一个条件:{rule}。",
                "动手之前请注意一条规定:{rule}。任务如下。{task}",
                "{task}结果必须遵守这一点才有用:{rule}。",
            ),
        }

    def rules_for(self, part: Part) -> list[str]:
        """The kinds of rules that suit a task."""
        raise NotImplementedError

    def some_rule(self, kind: str, rng: random.Random) -> Rule:
        raise NotImplementedError

    def bind(self, part: Part, rng: random.Random) -> Bound | None:
        kinds = self.rules_for(part)
        return Bound(part, self.some_rule(rng.choice(kinds), rng)) if kinds else None

    def read(self, texts: dict[str, str], language: Language) -> Bound | None:
        part = self.part(texts["task"], language)
        try:
            rule = self.rule_field.read(texts["rule"], language)
        except (StopIteration, RuntimeError, ValueError):
            return None
        return Bound(part, rule) if part and rule[0] in self.rules_for(part) else None

    def write(self, params: Bound, language: Language, wording: int) -> dict[str, str]:
        return {
            "task": params.part.family.render(params.part.params, language, wording),
            "rule": self.rule_field.write(params.rule, language),
        }

    def sample(self, rng: random.Random) -> Bound:
        own = [family for family in self.simple if self.takes(family)]
        while True:
            family = rng.choice(own)
            if found := self.bind(Part(family, family.sample(rng)), rng):
                return found

    def level(self, params: Bound) -> int:
        return params.part.level + 1

    def at_level(self, params: Bound, level: int, rng: random.Random) -> Bound:
        raise NotImplementedError("A task with a constraint is varied by the task.")

    def neighbour(self, params: Bound, rng: random.Random) -> Bound:
        part = replace(params.part, params=params.part.family.neighbour(params.part.params, rng))
        return self.bind(part, rng) or params

    def domain_of(self, params: Bound) -> str:
        return params.part.family.domain_of(params.part.params)

    def shifted(self, params: Bound, rng: random.Random) -> tuple[Bound, str] | None:
        moved = params.part.family.shifted(params.part.params, rng)
        return (replace(params, part=replace(params.part, params=moved[0])), moved[1]) if moved else None

    def harder(self, params: Bound, rng: random.Random) -> Bound | None:
        part = params.part.varied(params.part.family.harder(params.part.params, rng))
        return self.bind(part, rng) if part else None

    def easier(self, params: Bound, rng: random.Random) -> Bound | None:
        part = params.part.varied(params.part.family.easier(params.part.params, rng))
        return self.bind(part, rng) if part else None

    def tools_for(self, params: Bound) -> tuple[str, ...]:
        return params.part.family.tools_for(params.part.params)

    def constraints(self, params: Bound) -> dict[str, Any]:
        return params.part.family.constraints(params.part.params)

    def max_steps(self, params: Bound) -> int:
        return params.part.family.max_steps(params.part.params)


_FORMS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "json": ("json.dumps({v}, sort_keys=True)", lambda value, _: json.dumps(value, sort_keys=True)),
    "key": ("{{{k!r}: {v}}}", lambda value, key: {key: value}),
    "default": ("{k} if {v} is None else {v}", lambda value, k: k if value is None else value),
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


class Rounding(NamedTuple):
    """What is done to a figure of so many `cents`: in JavaScript, in Python, and here upon the figure."""

    javascript: str
    python: str
    exactly: Callable[[float, Any], float]


_ROUNDINGS = {
    "down": Rounding("Math.floor(cents / 100)", "cents // 100", lambda value, _: math.floor(value)),
    "up": Rounding("Math.ceil(cents / 100)", "-(-cents // 100)", lambda value, _: math.ceil(value)),
    "rest": Rounding(
        "Math.floor(cents / 100) % {k}", "cents // 100 % {k}", lambda value, k: math.floor(value) % k
    ),
    "tens": Rounding(
        "Math.ceil(cents / 100 / {k}) * {k}",
        "-(-cents // (100 * {k})) * {k}",
        lambda value, k: math.ceil(value / k) * k,
    ),
}


class PageBoundFamily(BoundFamily):
    """A figure that is rounded in a certain way, or a state whose reaching is told by a certain word."""

    rule_field = Either(
        {
            "down": Phrased(
                ("the figure you answer is rounded down to a whole {0}", "回答的数向下取整到{0}"),
                Choice({"number": ("number", "整数")}),
            ),
            "up": Phrased(
                (
                    "round the final figure up to the next whole {0} and answer that",
                    "最后的数向上取整为{0}再作答",
                ),
                Choice({"number": ("number", "整数")}),
            ),
            "rest": Phrased(
                (
                    "drop what stands behind the point, and answer the remainder left on dividing by {0}",
                    "舍去小数部分,回答除以 {0} 的余数",
                ),
                Number(),
            ),
            "tens": Phrased(
                (
                    "answer with the smallest multiple of {0} that is no less than the figure",
                    "回答不小于该数的 {0} 的最小倍数",
                ),
                Number(),
            ),
            "say": Phrased(
                ("when all is in place, your answer is exactly {0}", "办妥之后,答复必须正好是 {0}"), QUOTED
            ),
        }
    )

    def rules_for(self, part: Part) -> list[str]:
        if is_reckoned(part):
            return list(_ROUNDINGS)
        try:
            figures = sum(map(is_figure, checks_of(part)))
        except ValueError:
            return []
        return list(_ROUNDINGS) if figures else ["say"]

    def some_rule(self, kind: str, rng: random.Random) -> Rule:
        if kind == "say":
            verb, noun = (
                rng.choice(["ready", "finished", "settled", "complete", "stored"]),
                rng.randint(11, 99),
            )
            return kind, f"{verb} {noun}"
        return kind, rng.randint(3, 12) if kind in ("rest", "tens") else "number"

    def verifier(self, params: Bound) -> Verifier:
        kind, about = params.rule
        if is_reckoned(params.part):
            return Verifier("numeric", {"tolerance": 1e-6})
        checks = checks_of(params.part)
        if kind == "say":
            script = f"() => {json.dumps(about)}"
            told = {"url": f"{SHOP}_world/state.json", "script": script, "compare": "exact"}
            return Verifier("page_state", {"checks": [*checks, told]})
        formula = (
            _ROUNDINGS[kind]
            .javascript.replace("cents", f"Math.round(values[0] * {_ROUNDED})")
            .format(k=about)
        )
        return Verifier("page_state", reckoned(checks, formula, 1e-6))

    def solution(self, params: Bound) -> str:
        if not is_reckoned(params.part):
            return ""
        kind, about = params.rule
        rounded = _ROUNDINGS[kind].python.format(k=about)
        program = printed_by([params.part.family.solution(params.part.params)])
        return f"{program}\ncents = round(float(answers[0]) * {_ROUNDED})\nprint({rounded})"

    def solve(self, params: Bound, start: Start) -> Solution:
        answer = yield from answer_of(params.part.family.solve(params.part.params, start))
        kind, about = params.rule
        if kind == "say":
            yield finish(about, "All is in place; this is the word for it.")
            return
        try:
            figure = round(float(answer) * _ROUNDED) / _ROUNDED
        except ValueError:
            raise GaveUp(f"round {answer!r}") from None
        yield finish(
            f"{_ROUNDINGS[kind].exactly(figure, about):g}", f"The figure is {answer}; the rule does the rest."
        )


class WebBoundFamily(PageBoundFamily):
    name = "web_bound"
    task_type = "web"
    domain = "web_automation"
    tools: ClassVar = ("browser",)
    timeout = 180


class ReasoningBoundFamily(PageBoundFamily):
    name = "reasoning_bound"
    task_type = "reasoning"
    domain = "quantitative_reasoning"
    tools: ClassVar = ("browser", "python_executor", "complete_task")
    timeout = 240


BOUND: tuple[type[BoundFamily], ...] = (CodeBoundFamily, WebBoundFamily, ReasoningBoundFamily)
