"""What a family of tasks is, and what its solutions are made of. The families themselves are next door."""

from __future__ import annotations

import random
import re
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from runtimes.contracts import TaskSpec, Verifier
from runtimes.llm.teacher.wording import Language

P = TypeVar("P")


class Slip(StrEnum):
    """Whether an episode goes wrong, as a model's would: not at all, noticed and mended, or unnoticed."""

    NONE = "none"
    RECOVERABLE = "recoverable"
    FATAL = "fatal"


@dataclass(frozen=True)
class Call:
    """One tool call and the thought before it."""

    tool: str
    arguments: dict[str, Any]
    thought: str


Solution = Generator[Call, str, None]
"""Yields calls, is sent each one's observation, and ends with a call of `complete_task`."""


@dataclass(frozen=True)
class Start:
    """What an episode begins with beside its task: the slip, the page already open, a style."""

    slip: Slip = Slip.NONE
    page: str = ""
    url: str = ""
    variant: int = 0


class GaveUp(Exception):
    """A solution cannot go on; the message says what it could not do, to follow 'I could not'."""


@dataclass(frozen=True)
class Run:
    """What came of running code: whether it ended well, and its two streams."""

    ok: bool
    stdout: str
    stderr: str

    @classmethod
    def read(cls, observation: str) -> Run:
        """Take an executor's observation apart; one without blocks is all stderr."""
        blocks = dict(
            re.findall(r"^(stdout|stderr):\n(.*?)(?=^stdout:\n|^stderr:\n|\Z)", observation, re.M | re.S)
        )
        stderr = blocks.get("stderr", "" if blocks else observation)
        return cls(observation.startswith("status: ok"), blocks.get("stdout", "").strip(), stderr.strip())

    @property
    def last_line(self) -> str:
        return self.stdout.rsplit("\n", 1)[-1].strip()

    @property
    def complaint(self) -> str:
        """The line that says what went wrong, for a thought about it."""
        return (self.stderr or self.stdout or "no output").rsplit("\n", 1)[-1].strip()


class Family(ABC, Generic[P]):
    """Tasks of one kind that differ in parameters: how they are worded, solved, checked and varied.

    A description holds all that a task is: `parse` gives back the parameters that `render` was given.
    `level` counts what makes a task harder.
    """

    name: ClassVar[str]
    task_type: ClassVar[str]
    domain: ClassVar[str]
    tools: ClassVar[tuple[str, ...]]
    top_level: ClassVar[int] = 3
    timeout: ClassVar[int] = 120
    """Seconds an episode may take."""
    takes_any_number: ClassVar[bool] = False
    """Whether a task stays one that can be done, whatever whole number stands in it."""
    params: type[P]

    @property
    @abstractmethod
    def variety(self) -> int:
        """How many ways of saying a task `render` has, in all languages together."""

    @abstractmethod
    def parse(self, description: str) -> tuple[P, Language] | None:
        """The parameters and the language of a description, or None when it is none of this family's."""

    @abstractmethod
    def render(self, params: P, language: Language, wording: int = 0) -> str:
        """The description in the given language; `wording` counts round that language's sentences.

        Raises ValueError for parameters that cannot be worded so.
        """

    @abstractmethod
    def sample(self, rng: random.Random) -> P:
        """Parameters at random, any level."""

    @abstractmethod
    def level(self, params: P) -> int:
        """How hard, from 1 to `top_level`."""

    @abstractmethod
    def neighbour(self, params: P, rng: random.Random) -> P:
        """Other parameters, just as hard. Raises ValueError where none are found."""

    @abstractmethod
    def harder(self, params: P, rng: random.Random) -> P | None:
        """The next level up, None at the top."""

    @abstractmethod
    def easier(self, params: P, rng: random.Random) -> P | None:
        """The next level down, None at the bottom."""

    def domain_of(self, params: P) -> str:
        """The subject of a task with these parameters."""
        return self.domain

    def shifted(self, params: P, rng: random.Random) -> tuple[P, str] | None:
        """As hard, but of another subject, and that subject's name; None where the family has one only."""
        return None

    @abstractmethod
    def verifier(self, params: P) -> Verifier:
        """Who decides whether such a task was solved."""

    def solution(self, params: P) -> str:
        """A program that gives the verifier its values; empty where a page is what says them."""
        return ""

    def javascript(self, params: P) -> str:
        """Statements that return a task's figure, where one can be reckoned without a page; else empty."""
        return ""

    def tools_for(self, params: P) -> tuple[str, ...]:
        """The tools that a task with these parameters needs."""
        return self.tools

    @abstractmethod
    def solve(self, params: P, start: Start) -> Solution:
        """Solve the task by calls and what they show. Raises GaveUp where it cannot."""

    def constraints(self, params: P) -> dict[str, Any]:
        """What the episode is bound to."""
        return {}

    def max_steps(self, params: P) -> int:
        """Steps enough for a solution that mends one slip."""
        return 8

    def task(self, params: P, description: str, task_id: str = "") -> TaskSpec:
        """The whole task for these parameters, worded by `description`."""
        return TaskSpec(
            task_id=task_id,
            task_type=self.task_type,
            description=description,
            expected_tools=list(self.tools_for(params)),
            constraints=self.constraints(params),
            max_steps=self.max_steps(params),
            timeout=self.timeout,
            verifier=self.verifier(params),
        )


def finish(answer: str, thought: str) -> Call:
    """The call that ends an episode."""
    return Call("complete_task", {"answer": answer}, thought)
