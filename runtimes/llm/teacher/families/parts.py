"""What tasks built of other tasks share: a part, how its answer is had, how its verdict joins others'."""

from __future__ import annotations

import json
import random
import re
from abc import abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar

from runtimes.contracts import Verifier
from runtimes.llm.teacher.browsing import SHOP
from runtimes.llm.teacher.families.base import Call, Family, Slip, Solution, Start
from runtimes.llm.teacher.wording import LANGUAGES, Language

P = TypeVar("P")

TRIES = 50
"""Draws after which parts are taken not to go together."""

_ANY_PAGE = f"{SHOP}_world/catalogue.json"


@dataclass(frozen=True)
class Part:
    """A task of one family, as a part of another's."""

    family: Family[Any]
    params: Any

    def __str__(self) -> str:
        return f"{self.family.name} {self.params}"

    @property
    def level(self) -> int:
        return self.family.level(self.params)

    def varied(self, params: Any) -> Part | None:
        return None if params is None else replace(self, params=params)


class BuiltFamily(Family[P]):
    """A family whose tasks hold tasks of other `families`, in one language."""

    top_level: ClassVar[int] = 99

    def __init__(self, families: Sequence[Family[Any]]) -> None:
        self.families = tuple(families)

    @property
    @abstractmethod
    def frames(self) -> dict[Language, tuple[str, ...]]:
        """The sentences about the parts, with `{name}` for each text that `read` is given."""

    @abstractmethod
    def read(self, texts: dict[str, str], language: Language) -> P | None:
        """The parameters that a frame's texts say, or None."""

    @abstractmethod
    def write(self, params: P, language: Language, wording: int) -> dict[str, str]:
        """The texts of a frame. Raises ValueError for parameters that cannot be worded so."""

    @property
    def variety(self) -> int:
        # A prime number, so that the frame and each part's wording vary independently.
        return 997

    def parse(self, description: str) -> tuple[P, Language] | None:
        for language in LANGUAGES:
            for frame in self.frames[language]:
                texts = _taken_out(frame, description.strip())
                if texts and (params := self.read(texts, language)):
                    return params, language
        return None

    def render(self, params: P, language: Language, wording: int = 0) -> str:
        frames = self.frames[language]
        texts = self.write(params, language, wording // len(frames))
        return frames[wording % len(frames)].format(**texts)

    def part(self, text: str, language: Language) -> Part | None:
        """The task that a text words, in that language and of this task type."""
        for family in self.families:
            if self.takes(family) and (found := family.parse(text)) and found[1] == language:
                return Part(family, found[0])
        return None

    def takes(self, family: Family[Any]) -> bool:
        """Whether tasks of that family may be parts."""
        return family.task_type == self.task_type


class Around(Protocol):
    """Parameters of a task that is another with something about it."""

    @property
    def part(self) -> Part: ...


A = TypeVar("A", bound=Around)


class AroundFamily(BuiltFamily[A]):
    """Tasks of one part and something about it; they vary as the part does, and need what it needs."""

    @abstractmethod
    def around(self, part: Part, like: A, rng: random.Random) -> A | None:
        """The same about another part, as `like` has it; None where it does not suit that part."""

    def domain_of(self, params: A) -> str:
        return params.part.family.domain_of(params.part.params)

    def level(self, params: A) -> int:
        return params.part.level + 1

    def neighbour(self, params: A, rng: random.Random) -> A:
        for _ in range(TRIES):
            part = replace(params.part, params=params.part.family.neighbour(params.part.params, rng))
            if found := self.around(part, params, rng):
                return found
        raise ValueError("no other values of the part go with what is about it")

    def shifted(self, params: A, rng: random.Random) -> tuple[A, str] | None:
        moved = params.part.family.shifted(params.part.params, rng)
        found = moved and self.around(replace(params.part, params=moved[0]), params, rng)
        return (found, moved[1]) if moved and found else None

    def harder(self, params: A, rng: random.Random) -> A | None:
        return self._moved(params.part.family.harder(params.part.params, rng), params, rng)

    def easier(self, params: A, rng: random.Random) -> A | None:
        return self._moved(params.part.family.easier(params.part.params, rng), params, rng)

    def _moved(self, own: Any, params: A, rng: random.Random) -> A | None:
        return None if own is None else self.around(replace(params.part, params=own), params, rng)

    def tools_for(self, params: A) -> tuple[str, ...]:
        return params.part.family.tools_for(params.part.params)

    def constraints(self, params: A) -> dict[str, Any]:
        return params.part.family.constraints(params.part.params)

    def max_steps(self, params: A) -> int:
        return params.part.family.max_steps(params.part.params)

    def verifier(self, params: A) -> Verifier:
        return params.part.family.verifier(params.part.params)

    def solution(self, params: A) -> str:
        return params.part.family.solution(params.part.params)


def _taken_out(frame: str, text: str) -> dict[str, str] | None:
    """The texts that stand in a frame, by name; None for another sentence.

    Each ends where the frame first goes on, so that no text, however long, is gone through twice.
    """
    pieces = re.split(r"\{(\w+)\}", frame)
    opening, names, between, ending = pieces[0], pieces[1::2], pieces[2:-1:2], pieces[-1]
    if not (text.startswith(opening) and text.endswith(ending)):
        return None
    texts, at, last = {}, len(opening), len(text) - len(ending)
    for name, literal in zip(names, between, strict=False):
        if (end := text.find(literal, at, last)) < 0:
            return None
        texts[name] = text[at:end]
        at = end + len(literal)
    return {**texts, names[-1]: text[at:last]} if at < last else None


def answer_of(solution: Solution) -> Generator[Call, str, str]:
    """Go through a solution up to its end and give what it would have handed in."""
    call = next(solution)
    while call.tool != "complete_task":
        call = solution.send((yield call))
    return str(call.arguments["answer"])


def starts(start: Start, count: int) -> list[Start]:
    """How each part begins: the slip falls on one of them, and only the first finds its page open."""
    unlucky = start.variant % count
    return [
        replace(
            start,
            slip=start.slip if at == unlucky else Slip.NONE,
            page="" if at else start.page,
            variant=start.variant // count,
        )
        for at in range(count)
    ]


def is_reckoned(part: Part) -> bool:
    """Whether a part's figure is what a program prints, without a page."""
    return part.family.verifier(part.params).kind == "numeric" and bool(part.family.solution(part.params))


def printed_by(programs: Sequence[str]) -> str:
    """Python that runs the programs and has what they print in `answers`."""
    return (
        f"import contextlib, io, json\nanswers = []\nfor program in {list(programs)!r}:\n"
        "    said = io.StringIO()\n    with contextlib.redirect_stdout(said):\n        exec(program, {})\n"
        "    answers.append(said.getvalue())"
    )


def checks_of(part: Part) -> list[dict[str, Any]]:
    """What a page says about a part: its checks. A number that needs no page is reckoned on one."""
    verifier: Verifier = part.family.verifier(part.params)
    if verifier.kind == "page_state":
        return list(verifier.spec.get("checks", [verifier.spec]))
    script = part.family.javascript(part.params)
    if verifier.kind != "numeric" or not script:
        raise ValueError(f"the verifier of {part.family.name} has no page")
    tolerance = verifier.spec["tolerance"]
    return [
        {"url": _ANY_PAGE, "script": f"() => {{ {script} }}", "compare": "numeric", "tolerance": tolerance}
    ]


def reckoned(checks: list[dict[str, Any]], formula: str, tolerance: float) -> dict[str, Any]:
    """One check of a number made of others: `formula` is JavaScript upon `values`, in the checks' order."""
    asked = json.dumps([[check["url"], check["script"]] for check in checks])
    script = (
        "async () => { const values = []; "
        f"for (const [url, script] of {asked}) {{ const text = await (await fetch(url)).text(); "
        "const document = { body: { innerText: text } }; values.push(await eval(script)()); } "
        f"return {formula}; }}"
    )
    return {"url": checks[0]["url"], "script": script, "compare": "numeric", "tolerance": tolerance}


def is_figure(check: dict[str, Any]) -> bool:
    """Whether a check compares the answer's number, and not the world's state."""
    return check.get("compare") == "numeric"
