"""Tasks made of two: both are done in one episode, and one answer or one state of the world shows it."""

from __future__ import annotations

import json
import random
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from runtimes.contracts import Verifier
from runtimes.llm.teacher.families.base import GaveUp, Solution, Start, finish
from runtimes.llm.teacher.families.parts import (
    TRIES,
    BuiltFamily,
    Part,
    answer_of,
    checks_of,
    is_figure,
    is_reckoned,
    printed_by,
    reckoned,
    starts,
)
from runtimes.llm.teacher.wording import Language


@dataclass(frozen=True)
class Pair:
    """Two tasks, to be done in this order."""

    first: Part
    second: Part

    @property
    def parts(self) -> tuple[Part, Part]:
        return self.first, self.second


class PairFamily(BuiltFamily[Pair]):
    """What pairs of every task type have in common."""

    params = Pair
    closings: ClassVar[dict[str, tuple[str, str]]]
    """How the answer is asked for, in English and Chinese, by what `asked` says."""

    @property
    def frames(self) -> dict[Language, tuple[str, ...]]:
        return {
            "en": (
                "There are two jobs, and both count. First: {first} Second: {second} In the end: {closing}",
                "Do two things for me in one go. (a) {first} (b) {second} Together: {closing}",
                "My list for today has two entries, no more. One: {first} Two: {second} To finish: {closing}",
                "{closing} That is how it ends; before, two tasks wait. The one: {first} The other: {second}",
            ),
            "zh": (
                "有两件事,都要完成。其一:{first}其二:{second}最后:{closing}",
                "请一次做好两项工作。(甲){first}(乙){second}合起来:{closing}",
                "今天的清单上有两条。第一条:{first}第二条:{second}收尾:{closing}",
            ),
        }

    def joined(self, one: Part, other: Part) -> Pair | None:
        """The pair of two parts; None where they do not go together."""
        pair = Pair(one, other)
        return pair if self.asked(pair) else None

    @abstractmethod
    def asked(self, pair: Pair) -> str:
        """Which closing the pair has; empty for two that do not go together."""

    def read(self, texts: dict[str, str], language: Language) -> Pair | None:
        first, second = self.part(texts["first"], language), self.part(texts["second"], language)
        if first is None or second is None or not self.asked(pair := Pair(first, second)):
            return None
        return pair if texts["closing"] == self._closing(pair, language) else None

    def write(self, params: Pair, language: Language, wording: int) -> dict[str, str]:
        one, other = params.parts
        return {
            "first": one.family.render(one.params, language, wording),
            "second": other.family.render(other.params, language, wording // 3),
            "closing": self._closing(params, language),
        }

    def _closing(self, pair: Pair, language: Language) -> str:
        return self.closings[self.asked(pair)][language == "zh"]

    def sample(self, rng: random.Random) -> Pair:
        own = [family for family in self.families if self.takes(family)]
        while True:
            parts = [Part(family, family.sample(rng)) for family in rng.choices(own, k=2)]
            if pair := self.joined(*parts):
                return pair

    def level(self, params: Pair) -> int:
        return params.first.level + params.second.level

    def neighbour(self, params: Pair, rng: random.Random) -> Pair:
        for _ in range(TRIES):
            parts = [replace(part, params=part.family.neighbour(part.params, rng)) for part in params.parts]
            if pair := self.joined(*parts):
                return pair
        raise ValueError("no other values of the two tasks go together")

    def domain_of(self, params: Pair) -> str:
        return params.first.family.domain_of(params.first.params)

    def shifted(self, params: Pair, rng: random.Random) -> tuple[Pair, str] | None:
        """One part of another subject, the other with new values."""
        for at, part in enumerate(params.parts):
            moved = part.family.shifted(part.params, rng)
            if moved is None:
                continue
            rest = params.parts[1 - at]
            rest = replace(rest, params=rest.family.neighbour(rest.params, rng))
            part = replace(part, params=moved[0])
            if pair := self.joined(*((part, rest) if at == 0 else (rest, part))):
                return pair, moved[1]
        return None

    def harder(self, params: Pair, rng: random.Random) -> Pair | None:
        return self._moved(params, "harder", rng)

    def easier(self, params: Pair, rng: random.Random) -> Pair | None:
        return self._moved(params, "easier", rng)

    def _moved(self, params: Pair, way: str, rng: random.Random) -> Pair | None:
        """One part a level on, the other with new values: both would otherwise be known from the parent."""
        order = [0, 1]
        rng.shuffle(order)
        for at in order:
            part = params.parts[at]
            moved = part.varied(getattr(part.family, way)(part.params, rng))
            if moved is None:
                continue
            rest = params.parts[1 - at]
            rest = replace(rest, params=rest.family.neighbour(rest.params, rng))
            if pair := self.joined(*((moved, rest) if at == 0 else (rest, moved))):
                return pair
        return None

    def tools_for(self, params: Pair) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(tool for part in params.parts for tool in part.family.tools_for(part.params))
        )

    def constraints(self, params: Pair) -> dict[str, Any]:
        return {**params.first.family.constraints(params.first.params)} | params.second.family.constraints(
            params.second.params
        )

    def max_steps(self, params: Pair) -> int:
        return sum(part.family.max_steps(part.params) for part in params.parts)


class CodePairFamily(PairFamily):
    """Two functions of one module."""

    name = "code_pair"
    task_type = "code"
    domain = "programming"
    tools = ("python_executor",)
    closings: ClassVar = {
        "module": ("submit one Python module with both functions.", "提交一个含有两个函数的 Python 模块。")
    }

    def asked(self, pair: Pair) -> str:
        names = {part.params.name for part in pair.parts}
        return "module" if len(names) == 2 else ""

    def verifier(self, params: Pair) -> Verifier:
        cases = [case for part in params.parts for case in part.family.verifier(part.params).spec["cases"]]
        return Verifier("python_tests", {"cases": cases})

    def solution(self, params: Pair) -> str:
        return "\n\n\n".join(part.family.solution(part.params) for part in params.parts)

    def solve(self, params: Pair, start: Start) -> Solution:
        sources = []
        for part, own in zip(params.parts, starts(start, 2), strict=True):
            sources.append((yield from answer_of(part.family.solve(part.params, own))))
        yield finish("\n\n\n".join(sources), "Both functions are tried; one module holds them.")


_ALONE = {"balances", "newsletters"}
"""Families that log in; a second one would find somebody logged in already."""


class _PagePairFamily(PairFamily):
    """Two tasks that pages are asked about: two states, a state and a figure, or the sum of two figures."""

    closings: ClassVar = {
        "states": ("say done once both are as asked.", "两样都办妥后说一声。"),
        "figure": ("answer with the one figure asked for.", "只回答所问的那一个数。"),
        "sum": ("answer with the sum of the two figures, to two decimals.", "回答两个数之和,保留两位小数。"),
    }

    def asked(self, pair: Pair) -> str:
        one, other = (part.family for part in pair.parts)
        if {one.name, other.name} <= _ALONE:
            return ""
        try:
            figures = sum(is_figure(check) for part in pair.parts for check in checks_of(part))
        except ValueError:
            return ""
        if figures == 0 and (one is other or self._touch_the_same(pair)):
            return ""
        return ("states", "figure", "sum")[figures]

    def _touch_the_same(self, pair: Pair) -> bool:
        """Whether both change the same thing, so that the second would undo the first."""
        changed = [
            {"best_buy": "cart", "report": "contact"}.get(p.family.name, p.family.name) for p in pair.parts
        ]
        return changed[0] == changed[1]

    def verifier(self, params: Pair) -> Verifier:
        checks = [check for part in params.parts for check in checks_of(part)]
        if self.asked(params) == "sum":
            return Verifier("page_state", reckoned(checks, "values[0] + values[1]", 0.011))
        return Verifier("page_state", {"checks": checks})

    def solve(self, params: Pair, start: Start) -> Solution:
        answers = []
        for part, own in zip(params.parts, starts(start, 2), strict=True):
            answers.append((yield from answer_of(part.family.solve(part.params, own))))
        asked = self.asked(params)
        if asked == "states":
            yield finish("Done.", "Both are as asked.")
        elif asked == "figure":
            figures = [
                answer
                for part, answer in zip(params.parts, answers, strict=True)
                if any(map(is_figure, checks_of(part)))
            ]
            yield finish(figures[0], "The other job asks for no figure, so this is the answer.")
        else:
            try:
                total = sum(map(float, answers))
            except ValueError:
                raise GaveUp(f"add up {answers[0]!r} and {answers[1]!r}") from None
            yield finish(f"{total:.2f}", f"{answers[0]} and {answers[1]} make {total:.2f}.")


class WebPairFamily(_PagePairFamily):
    name = "web_pair"
    task_type = "web"
    domain = "web_automation"
    tools = ("browser",)
    timeout = 300


class ReasoningPairFamily(_PagePairFamily):
    name = "reasoning_pair"
    task_type = "reasoning"
    domain = "quantitative_reasoning"
    tools = ("browser", "python_executor", "complete_task")
    timeout = 360


class FiguresPairFamily(PairFamily):
    """Two figures that no page is needed for, handed in as a list."""

    name = "figures_pair"
    task_type = "reasoning"
    domain = "math_word_problems"
    tools = ("python_executor", "complete_task")
    timeout = 240
    closings: ClassVar = {
        "list": ("answer with both figures as a JSON list.", "把两个数按顺序写成 JSON 列表作答。")
    }

    def asked(self, pair: Pair) -> str:
        return "list" if all(map(is_reckoned, pair.parts)) else ""

    def verifier(self, params: Pair) -> Verifier:
        return Verifier("json", {"tolerance": 0.006})

    def solution(self, params: Pair) -> str:
        program = printed_by([part.family.solution(part.params) for part in params.parts])
        return f"{program}\nprint(json.dumps([json.loads(answer) for answer in answers]))"

    def solve(self, params: Pair, start: Start) -> Solution:
        answers = []
        for part, own in zip(params.parts, starts(start, 2), strict=True):
            answers.append((yield from answer_of(part.family.solve(part.params, own))))
        try:
            figures = json.dumps([float(answer) for answer in answers])
        except ValueError:
            raise GaveUp(f"make a list of {answers}") from None
        yield finish(figures, f"The first is {answers[0]}, the second {answers[1]}.")


PAIRS: tuple[type[PairFamily], ...] = (
    CodePairFamily,
    WebPairFamily,
    FiguresPairFamily,
    ReasoningPairFamily,
)
