"""Whether an agent goes round in circles: the same calls with the same results, again and again.

What changes on a page, or in what a call gives back, is no loop, however often the call is the same.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from runtimes.contracts import ExecutionStep

LONGEST_CYCLE = 3
"""Turns that may make up one round of a loop."""

NUDGE_AFTER, END_AFTER = 3, 5
"""Rounds of a loop after which the agent is told, and after which its episode ends."""

PATIENT = frozenset({"scroll", "press", "wait_for", "reload"})
"""Actions that may be repeated for a while before anything new is seen."""

PATIENCE = 2
"""How many times as often."""

# What differs between two looks at the same thing: refs of elements, addresses of objects in memory.
_PASSING = re.compile(r"\[ref=\w+\]|\b0x[0-9a-f]{6,}\b")


@dataclass(frozen=True)
class Loop:
    """`rounds` of the same `length` turns; it `begins` when it is first heard of, and then `is_endless`."""

    length: int
    rounds: int
    begins: bool
    is_endless: bool

    def __str__(self) -> str:
        what = "The same call has" if self.length == 1 else f"The same {self.length} calls in turn have"
        return f"{what} given the same result {self.rounds} times"

    @property
    def nudge(self) -> str:
        """What the agent is told when its loop begins."""
        return f"[{self}. Do something else, or call complete_task with what you know.]"


class Loops:
    """Hears of each turn of an episode and says whether it goes in circles by now."""

    def __init__(self) -> None:
        self._turns: list[bytes] = []
        self._in_one = False

    def heed(self, steps: Sequence[ExecutionStep]) -> Loop | None:
        """The loop that the episode is in, now that a turn made these steps."""
        told = json.dumps([_told(step) for step in steps])
        self._turns.append(hashlib.sha256(told.encode()).digest())
        patience = PATIENCE if all(step.tool_name in PATIENT for step in steps) else 1
        for length in range(1, LONGEST_CYCLE + 1):
            rounds = self._rounds(length)
            if rounds >= NUDGE_AFTER * patience:
                begins, self._in_one = not self._in_one, True
                return Loop(length, rounds, begins, rounds >= END_AFTER * patience)
        self._in_one = False
        return None

    def _rounds(self, length: int) -> int:
        """How often the last `length` turns have come in a row."""
        last = self._turns[-length:]
        rounds = 1
        while self._turns[-length * (rounds + 1) : -length * rounds] == last:
            rounds += 1
        return rounds


def _told(step: ExecutionStep) -> list[str]:
    """A step as its agent sees it: the call, and what it gave."""
    arguments = json.dumps(step.action_params, sort_keys=True)
    return [step.tool_name, arguments, _PASSING.sub("", str(step.observation))]
