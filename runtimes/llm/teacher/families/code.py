"""What the code families share: write a function, run it on an example worked out by hand, submit it."""

from __future__ import annotations

import json
import random
from abc import abstractmethod
from typing import Any, ClassVar, TypeVar

from runtimes.contracts import Verifier
from runtimes.llm.teacher.families.base import Call, GaveUp, Run, Slip, Solution, Start, finish
from runtimes.llm.teacher.families.simple import SimpleFamily

P = TypeVar("P")

Example = tuple[str, Any]
"""A call of the function, as Python source, and its value as JSON has it."""

_PLANS = (
    "I write {name} and run it on an example I can work out by hand: {call} should give {value}.",
    "First a version of {name}, tried at once: by hand, {call} comes to {value}.",
    "Let me write {name} and test it. Counting it out myself, {call} must be {value}.",
)


class CodeFamily(SimpleFamily[P]):
    """A function to be written. Its description leaves no freedom that the held-out cases would punish."""

    task_type = "code"
    tools: ClassVar[tuple[str, ...]] = ("python_executor",)
    approach: ClassVar[str]
    """One sentence on how the function works, for the thought before it is written."""

    @abstractmethod
    def function(self, params: P) -> str:
        """The name asked for."""

    @abstractmethod
    def program(self, params: P, variant: int) -> str:
        """Right source code; `variant` picks between ways of writing it."""

    @abstractmethod
    def broken(self, params: P) -> str:
        """Source with a fault that `example` brings to light."""

    @abstractmethod
    def subtle(self, params: P) -> str:
        """Source with a fault that `example` does not show but the cases do."""

    @abstractmethod
    def example(self, params: P) -> Example:
        """One call small enough to work out by hand."""

    @abstractmethod
    def cases(self, params: P) -> list[Example]:
        """The held-out calls, with values from a reference that shares no code with `program`."""

    def verifier(self, params: P) -> Verifier:
        cases = [{"call": call, "expected": value} for call, value in self.cases(params)]
        return Verifier("python_tests", {"cases": cases})

    def solution(self, params: P) -> str:
        return self.program(params, 0)

    def solve(self, params: P, start: Start) -> Solution:
        call, value = self.example(params)
        right = self.program(params, start.variant)
        source = {Slip.RECOVERABLE: self.broken(params), Slip.FATAL: self.subtle(params)}.get(
            start.slip, right
        )
        plan = _PLANS[start.variant % len(_PLANS)].format(name=self.function(params), call=call, value=value)
        seen = yield _trial(source, call, f"{self.approach} {plan}")
        fault = _fault(seen, value)
        if fault:
            seen = yield _trial(
                right, call, f"The trial shows {fault}; I will mend the function and run it again."
            )
            source, fault = right, _fault(seen, value)
        if fault:
            raise GaveUp(f"get {self.function(params)} to pass its own example: the trial shows {fault}")
        yield finish(source, "The example gives the value I expected, so I submit this code.")


def function_name(rng: random.Random, verbs: str, nouns: str) -> str:
    """A name of one of the verbs and one of the nouns, each given as words in one string."""
    return f"{rng.choice(verbs.split())}_{rng.choice(nouns.split())}"


def _trial(source: str, call: str, thought: str) -> Call:
    code = f"{source}\n\nimport json\nprint(json.dumps({call}))"
    return Call("python_executor", {"code": code}, thought)


def _fault(observation: str, value: Any) -> str:
    """What a trial's output says against the program, empty when it printed the expected value."""
    run = Run.read(observation)
    if not run.ok:
        return f"an error ({run.complaint})"
    try:
        printed = json.loads(run.last_line)
    except ValueError:
        return f"no value (printed {run.last_line!r})"
    return "" if printed == value else f"{run.last_line} where {json.dumps(value)} is right"
