"""Puzzles that a seed makes and a program answers: steps upon a list of numbers, or upon a text."""

from __future__ import annotations

import json
import random
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, TypeVar

from runtimes.contracts import Verifier
from runtimes.llm.teacher.families.base import Slip, Solution, Start, finish
from runtimes.llm.teacher.families.reasoning import ReasoningFamily, compute
from runtimes.llm.teacher.wording import QUOTED, Choice, Either, Listing, Number, Phrase, Phrased


class Move(NamedTuple):
    """One step upon a value `x`: in words and as a Python expression, with the numbers that suit it."""

    words: Phrase
    python: str
    numbers: range = range(1)


_ON_LISTS = {
    "add": Move(("add {0} to every number", "每个数加{0}"), "[v + {0} for v in x]", range(2, 30)),
    "times": Move(("multiply every number by {0}", "每个数乘以{0}"), "[v * {0} for v in x]", range(2, 9)),
    "rest": Move(
        ("replace every number by its remainder after division by {0}", "每个数换成除以{0}的余数"),
        "[v % {0} for v in x]",
        range(7, 40),
    ),
    "over": Move(
        ("strike out everything that is not above {0}", "划去不大于{0}的数"),
        "[v for v in x if v > {0}]",
        range(3, 12),
    ),
    "turn": Move(
        ("rotate the list {0} places to the left", "列表左移{0}位"), "x[{0}:] + x[:{0}]", range(1, 4)
    ),
    "every": Move(
        ("keep the first of every {0} numbers in a row", "每{0}个数只留第一个"), "x[::{0}]", range(2, 4)
    ),
    "sums": Move(
        ("extend it by its {0} largest numbers, largest first", "末尾接上其中最大的{0}个数(从大到小)"),
        "x + sorted(x, reverse=True)[:{0}]",
        range(1, 4),
    ),
}
_ENDS = {
    "sum": Move(("the sum", "总和"), "sum(x)"),
    "alternating": Move(
        ("the alternating sum, first number positive", "交错和(首数为正)"), "sum(x[::2]) - sum(x[1::2])"
    ),
    "spread": Move(
        ("the largest number minus the smallest", "最大数减最小数"), "max(x, default=0) - min(x, default=0)"
    ),
    "weighted": Move(
        ("the sum of each number times its place, counting from one", "各数乘以其位次(从一数起)之和"),
        "sum(k * v for k, v in enumerate(x, 1))",
    ),
}
_ON_TEXTS = {
    "back": Move(
        ("write it backwards from letter {0} on", "从第{0}个字母起倒写"),
        "x[:{0} - 1] + x[{0} - 1:][::-1]",
        range(1, 5),
    ),
    "shift": Move(
        (
            "move every letter {0} places on in the alphabet, z followed by a",
            "每个字母在字母表中后移{0}位,z 之后是 a",
        ),
        "''.join(chr((ord(c) - 97 + {0}) % 26 + 97) for c in x)",
        range(1, 25),
    ),
    "drop": Move(("leave out letter number {0}", "去掉第{0}个字母"), "x[:{0} - 1] + x[{0}:]", range(1, 8)),
    "twice": Move(
        ("write the first {0} letters twice", "前{0}个字母写两遍"), "x[:{0}] * 2 + x[{0}:]", range(1, 6)
    ),
    "turn": Move(
        ("carry the last {0} letters to the front", "把末尾{0}个字母移到最前"),
        "x[-{0}:] + x[:-{0}]",
        range(1, 6),
    ),
    "sort": Move(
        ("put the first {0} letters in alphabetical order", "前{0}个字母按字母表排列"),
        "''.join(sorted(x[:{0}])) + x[{0}:]",
        range(3, 9),
    ),
}
_WORDS = (
    "harbour lantern orchard thunder compass meadow glacier pepper violin granite falcon saffron ribbon "
    "castle walnut kettle marble canyon feather pilgrim lagoon copper bamboo timber velvet anchor"
)


def _steps(moves: Mapping[str, Move]) -> Either:
    return Either({kind: Phrased(move.words, Number()) for kind, move in moves.items()})


@dataclass(frozen=True)
class ListPuzzle:
    """What `end` says of the list `numbers` after `steps`."""

    numbers: tuple[int, ...]
    steps: tuple[tuple[str, int], ...]
    end: str


@dataclass(frozen=True)
class TextPuzzle:
    """What `word` has become after `steps`."""

    word: str
    steps: tuple[tuple[str, int], ...]


P = TypeVar("P", ListPuzzle, TextPuzzle)


class PuzzleFamily(ReasoningFamily[P]):
    """A value, steps upon it in order, and a question about what comes of them."""

    tools: ClassVar = ("python_executor", "complete_task")
    top_level = 4
    timeout = 120
    moves: ClassVar[Mapping[str, Move]]

    @abstractmethod
    def lines(self, params: P) -> list[str]:
        """The program, a line a step; the last prints the answer."""

    def level(self, params: P) -> int:
        return len(params.steps)

    def at_level(self, params: P, level: int, rng: random.Random) -> P:
        steps = (*params.steps, *self.some_moves(rng, self.top_level, params.steps))
        return replace(params, steps=steps[:level])

    def solution(self, params: P) -> str:
        return "\n".join(self.lines(params))

    def some_moves(self, rng: random.Random, count: int, besides: tuple[Any, ...] = ()) -> tuple[Any, ...]:
        free = [kind for kind in self.moves if kind not in dict(besides)]
        kinds = rng.sample(free, min(count, len(free)))
        return tuple((kind, rng.choice(self.moves[kind].numbers)) for kind in kinds)

    def solve(self, params: P, start: Start) -> Solution:
        thought = "A line of Python for each step."
        value = yield from compute(self.solution(params), thought, start.slip)
        if start.slip == Slip.FATAL:
            # To forget a step need not show; a wrong copy does.
            value = str(int(value) + 1) if value.lstrip("-").isdigit() else value[:-1]
        yield finish(value, f"In the end there is {value}.")


class ListPuzzleFamily(PuzzleFamily[ListPuzzle]):
    name = "list_puzzle"
    domain = "number_puzzles"
    params = ListPuzzle
    moves = _ON_LISTS
    fields: ClassVar = {
        "numbers": Listing(Number(), last=(", ", ", "), comma=(", ", ", ")),
        "steps": Listing(_steps(_ON_LISTS), comma=("; ", ";"), last=("; after that ", ";之后")),
        "end": Choice({kind: move.words for kind, move in _ENDS.items()}),
    }

    def sample(self, rng: random.Random) -> ListPuzzle:
        numbers = tuple(rng.randint(5, 99) for _ in range(rng.randint(7, 11)))
        return ListPuzzle(numbers, self.some_moves(rng, rng.randint(1, 4)), rng.choice(list(_ENDS)))

    def lines(self, params: ListPuzzle) -> list[str]:
        steps = [f"x = {_ON_LISTS[kind].python.format(n)}" for kind, n in params.steps]
        return [f"x = {list(params.numbers)}", *steps, f"print({_ENDS[params.end].python})"]

    def verifier(self, params: ListPuzzle) -> Verifier:
        return Verifier("numeric", {"tolerance": 1e-6})


class TextPuzzleFamily(PuzzleFamily[TextPuzzle]):
    name = "text_puzzle"
    domain = "text_puzzles"
    params = TextPuzzle
    moves = _ON_TEXTS
    fields: ClassVar = {
        "word": QUOTED,
        "steps": Listing(_steps(_ON_TEXTS), comma=("; ", ";"), last=("; lastly ", ";最后")),
    }

    def sample(self, rng: random.Random) -> TextPuzzle:
        word = "".join(rng.sample(_WORDS.split(), rng.randint(2, 3)))
        return TextPuzzle(word, self.some_moves(rng, rng.randint(1, 4)))

    def lines(self, params: TextPuzzle) -> list[str]:
        steps = [f"x = {_ON_TEXTS[kind].python.format(n)}" for kind, n in params.steps]
        return [f"x = {json.dumps(params.word)}", *steps, "print(x)"]

    def verifier(self, params: TextPuzzle) -> Verifier:
        return Verifier("exact", {})


PUZZLES: tuple[PuzzleFamily[Any], ...] = (ListPuzzleFamily(), TextPuzzleFamily())
