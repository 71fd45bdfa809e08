"""Web and reasoning tasks with one more constraint: on how a figure is rounded, or on the last word."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from runtimes.contracts import Verifier
from runtimes.llm.teacher.browsing import SHOP
from runtimes.llm.teacher.families.base import GaveUp, Solution, Start, finish
from runtimes.llm.teacher.families.bound import Bound, BoundFamily, Rule
from runtimes.llm.teacher.families.parts import (
    Part,
    answer_of,
    checks_of,
    is_figure,
    is_reckoned,
    printed_by,
    reckoned,
)
from runtimes.llm.teacher.wording import QUOTED, Choice, Either, Number, Phrased

_ROUNDED = 100
"""Figures are brought to cents before a rule is applied, so that no float's dust decides."""


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
