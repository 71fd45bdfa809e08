"""Operators: each one way to turn an essence into the idea of a new task.

Add one with the entry point group `adp.operators`, its name the operator's, its value an `Operator`.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtimes import plugins

GROUP = "adp.operators"


@dataclass(frozen=True)
class Operator:
    """What the model is told to change; `version` tells a reworded instruction from the one before.

    `not_for` are complexity levels of essences that the operator has nothing to offer to.
    """

    name: str
    version: str
    instruction: str
    not_for: frozenset[str] = frozenset()


PARAMETER = Operator(
    "parameter",
    "1",
    "Keep the kind of task and its difficulty; change the values it is about: other numbers, names, items.",
)
COMPLEXITY_UP = Operator(
    "complexity_up",
    "1",
    "Make the task harder by one clear step: one more condition, item or operation. Keep it solvable.",
    not_for=frozenset({"complex"}),
)
COMPLEXITY_DOWN = Operator(
    "complexity_down",
    "1",
    "Make the task easier by one clear step: drop a condition, an item or an operation.",
    not_for=frozenset({"simple"}),
)


def operators() -> list[Operator]:
    """Every registered operator, by name."""
    found = plugins.load(GROUP)
    return [found[name] for name in sorted(found)]
