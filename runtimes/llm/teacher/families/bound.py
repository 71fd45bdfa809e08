"""Tasks with one more constraint on what is handed in: on the form of a value, a rounding, a last word."""

from __future__ import annotations

import random
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from runtimes.llm.teacher.families.parts import AroundFamily, Part
from runtimes.llm.teacher.wording import Field, Language

Rule = tuple[str, Any]
"""A kind of constraint and the number or the word in it."""


@dataclass(frozen=True)
class Bound:
    """A task whose result keeps to `rule`."""

    part: Part
    rule: Rule


class BoundFamily(AroundFamily[Bound]):
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

    @abstractmethod
    def rules_for(self, part: Part) -> list[str]:
        """The kinds of rules that suit a task."""

    @abstractmethod
    def some_rule(self, kind: str, rng: random.Random) -> Rule:
        """A rule of that kind."""

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
        own = [family for family in self.families if self.takes(family)]
        while True:
            family = rng.choice(own)
            if found := self.bind(Part(family, family.sample(rng)), rng):
                return found

    def around(self, part: Part, like: Bound, rng: random.Random) -> Bound | None:
        return self.bind(part, rng)
