"""Tasks with a sub-task: a number of the wording is replaced by a letter, which stands for a result."""

from __future__ import annotations

import random
import re
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

from runtimes.llm.teacher.browsing import arrive, open_product
from runtimes.llm.teacher.families.base import Call, Family, GaveUp, Slip, Solution, Start
from runtimes.llm.teacher.families.parts import AroundFamily, Part
from runtimes.llm.teacher.families.reasoning import PARTS, compute, part_value
from runtimes.llm.teacher.families.web import PRODUCT
from runtimes.llm.teacher.snapshot import amount
from runtimes.llm.teacher.wording import Either, Language, Number, Phrased
from runtimes.web.site.catalogue import PRODUCTS

SubTask = tuple[str, Any]
"""A kind and what it is about: a number to be computed, or the stock of a product of the shop."""

_STOCK = "stock"
_SUBTASKS = Either(
    {
        **{kind: Phrased(part.words, Number()) for kind, part in PARTS.items()},
        _STOCK: Phrased(("how many of {0} the shop says it has in stock", "商店里{0}的库存数"), PRODUCT),
    }
)
_LETTERS = "NKMTQ"
_NUMBER = re.compile(r"(?<![A-Za-z0-9_.\-])\d+(?![A-Za-z0-9_]|\.\d)")
"""A number by itself; Chinese may stand right beside it."""


def worth(sub: SubTask) -> int:
    """The result of a sub-task, by another way than the solution goes."""
    kind, about = sub
    if kind == _STOCK:
        return next(product.stock for product in PRODUCTS if product.name == about)
    return part_value(kind, about)


@cache
def _computed() -> dict[int, list[SubTask]]:
    """Sub-tasks for Python by their results."""
    found: dict[int, list[SubTask]] = {}
    for kind in PARTS:
        for n in range(12, 241):
            found.setdefault(part_value(kind, n), []).append((kind, n))
    return found


@dataclass(frozen=True)
class Deep:
    """A task one number of which, written as `letter`, is the result of `sub`."""

    part: Part
    sub: SubTask
    letter: str


class DeepFamily(AroundFamily[Deep]):
    """What tasks with a sub-task of every task type have in common."""

    params = Deep

    @property
    def frames(self) -> dict[Language, tuple[str, ...]]:
        return {
            "en": (
                "{task} Here {letter} stands for {sub}, which has to be found first.",
                "Let {letter} be {sub}. {task}",
                "Find out {sub} and call it {letter}; then do this. {task}",
                "{task} What {letter} is, nobody has written down: it equals {sub}.",
            ),
            "zh": (
                "{task}其中 {letter} 代表{sub},要先求出来。",
                "设 {letter} 为{sub}。{task}",
                "先弄清{sub},记作 {letter},再做下面的事。{task}",
            ),
        }

    def read(self, texts: dict[str, str], language: Language) -> Deep | None:
        letter, token = texts["letter"], _token(texts["letter"])
        if (
            letter not in _LETTERS
            or len(letter) != 1
            or not re.fullmatch(_SUBTASKS.pattern(language), texts["sub"])
        ):
            return None
        sub = _SUBTASKS.read(texts["sub"], language)
        if len(token.findall(texts["task"])) != 1:
            return None
        part = self.part(token.sub(str(worth(sub)), texts["task"]), language)
        return Deep(part, sub, letter) if part else None

    def write(self, params: Deep, language: Language, wording: int) -> dict[str, str]:
        text = params.part.family.render(params.part.params, language, wording)
        value = worth(params.sub)
        for found in _NUMBER.finditer(text):
            if int(found[0]) == value and self._decides(params.part, text, found):
                task = f"{text[: found.start()]}{params.letter}{text[found.end() :]}"
                if len(_token(params.letter).findall(task)) > 1:
                    break
                return {"task": task, "letter": params.letter, "sub": _SUBTASKS.write(params.sub, language)}
        raise ValueError(f"no number of the task is {value}, to be written as {params.letter}")

    def _decides(self, part: Part, text: str, found: re.Match[str]) -> bool:
        """Whether a number of a text is one of the task's: another one would make another task."""
        if text[: found.start()].count('"') % 2:
            return False  # It stands in words that are quoted, such as a message to be sent.
        other = f"{text[: found.start()]}{int(found[0]) + 1}{text[found.end() :]}"
        read = part.family.parse(other)
        return read is not None and read[0] != part.params

    def over(self, part: Part, kinds: set[str], rng: random.Random) -> Deep | None:
        """The task with one of its numbers to be found; None where it has no such number."""
        text = part.family.render(part.params, "en")
        numbers = [found for found in _NUMBER.finditer(text) if self._decides(part, text, found)]
        rng.shuffle(numbers)
        letter = rng.choice(_LETTERS)
        for found in numbers:
            if choices := [sub for sub in _computed().get(int(found[0]), []) if sub[0] in kinds]:
                return Deep(part, rng.choice(choices), letter)
        if _STOCK in kinds and numbers and part.family.takes_any_number:
            return self._with_stock(part, text, numbers[0], letter, rng)
        return None

    def _with_stock(
        self, part: Part, text: str, found: re.Match[str], letter: str, rng: random.Random
    ) -> Deep | None:
        product = rng.choice([product for product in PRODUCTS if product.stock > 1])
        read = part.family.parse(f"{text[: found.start()]}{product.stock}{text[found.end() :]}")
        return Deep(replace(part, params=read[0]), (_STOCK, product.name), letter) if read else None

    def kinds_of(self, params: Deep) -> set[str]:
        return {_STOCK} if params.sub[0] == _STOCK else set(PARTS)

    def sample(self, rng: random.Random) -> Deep:
        own = [family for family in self.families if self.takes(family)]
        while True:
            family = rng.choice(own)
            if found := self.over(Part(family, family.sample(rng)), set(PARTS), rng):
                return found

    def around(self, part: Part, like: Deep, rng: random.Random) -> Deep | None:
        return self.over(part, self.kinds_of(like), rng)

    def tools_for(self, params: Deep) -> tuple[str, ...]:
        further = "browser" if params.sub[0] == _STOCK else "python_executor"
        return tuple(dict.fromkeys((*params.part.family.tools_for(params.part.params), further)))

    def max_steps(self, params: Deep) -> int:
        return params.part.family.max_steps(params.part.params) + 5

    def solve(self, params: Deep, start: Start) -> Solution:
        value = yield from self._result(params, start)
        if value != worth(params.sub):
            raise GaveUp(f"make sense of the sub-task: it came to {value}")
        # The page that was open at first need not be any more.
        rest = start if params.sub[0] != _STOCK else replace(start, page="")
        yield from params.part.family.solve(params.part.params, rest)

    def _result(self, params: Deep, start: Start) -> Generator[Call, str, int]:
        kind, about = params.sub
        if kind == _STOCK:
            page = yield from arrive(start)
            page = yield from open_product(page, about)
            return int(amount(page.fact("Stock")))
        said = yield from compute(
            f"print({PARTS[kind].python.format(about)})", f"First {params.letter}.", Slip.NONE
        )
        if not said.isdigit():
            raise GaveUp(f"find out {params.letter}: the program says {said!r}")
        return int(said)


def _token(letter: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9_]){re.escape(letter)}(?![A-Za-z0-9_])")


class CodeDeepFamily(DeepFamily):
    name = "code_deep"
    task_type = "code"
    domain = "programming"
    tools: ClassVar = ("python_executor",)


class WebDeepFamily(DeepFamily):
    name = "web_deep"
    task_type = "web"
    domain = "web_automation"
    tools: ClassVar = ("browser",)
    timeout = 240


class ReasoningDeepFamily(DeepFamily):
    name = "reasoning_deep"
    task_type = "reasoning"
    domain = "quantitative_reasoning"
    tools: ClassVar = ("python_executor", "complete_task")
    timeout = 300


DEEP: tuple[type[DeepFamily], ...] = (CodeDeepFamily, WebDeepFamily, ReasoningDeepFamily)


def further_kinds(family: Family[Any], tools: tuple[str, ...]) -> set[str]:
    """The kinds of sub-tasks that take a tool which is not among `tools` yet."""
    if "browser" not in tools and family.task_type == "reasoning":
        return {_STOCK}
    return set(PARTS) if "python_executor" not in tools and family.task_type == "web" else set()


def near_kinds(tools: tuple[str, ...]) -> set[str]:
    """The kinds of sub-tasks that the tools at hand are enough for."""
    return (set(PARTS) if "python_executor" in tools else set()) | ({_STOCK} if "browser" in tools else set())
