"""How the teacher carries out an operator: from a task it recognised to the parameters of another."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from runtimes.llm.teacher.families import BUILT, Recognised
from runtimes.llm.teacher.families.base import Family
from runtimes.llm.teacher.families.bound import BoundFamily
from runtimes.llm.teacher.families.deep import DeepFamily, further_kinds, near_kinds
from runtimes.llm.teacher.families.pairs import PairFamily
from runtimes.llm.teacher.families.parts import Part
from runtimes.llm.teacher.families.simple import SimpleFamily


class Refused(Exception):
    """A prompt that cannot be answered; the message says why."""


@dataclass(frozen=True)
class Invention:
    """A task to be worded. `change` and `domain` are empty where the parameters say all."""

    family: Family[Any]
    params: Any
    change: str = ""
    domain: str = ""


def invent(operator: str, known: Recognised, partner: Recognised | None, rng: random.Random) -> Invention:
    """What the operator makes of a task. Raises Refused where it makes nothing, whatever the values are;
    ValueError where only these values do not fit."""
    if operator == "width":
        if partner is None:
            raise Refused("Two tasks are merged, and I was told of one.")
        return _width(known, partner, rng)
    if operator not in _OPERATORS:
        raise Refused(f"I know no operator {operator!r}, only {', '.join([*_OPERATORS, 'width'])}.")
    return _OPERATORS[operator](known, rng)


def _neighbour(known: Recognised, rng: random.Random) -> Invention:
    return Invention(known.family, known.family.neighbour(known.params, rng))


def _harder(known: Recognised, rng: random.Random) -> Invention:
    return _moved(known, known.family.harder(known.params, rng), "hard")


def _easier(known: Recognised, rng: random.Random) -> Invention:
    return _moved(known, known.family.easier(known.params, rng), "simple")


def _moved(known: Recognised, params: Any, end: str) -> Invention:
    if params is None:
        raise Refused(f"The task is as {end} as tasks of its family get.")
    return Invention(known.family, params)


def _other_language(known: Recognised, rng: random.Random) -> Invention:
    return replace(_neighbour(known, rng), change="another language, and other values")


def _shifted(known: Recognised, rng: random.Random) -> Invention:
    other = known.family.neighbour(known.params, rng)
    moved = known.family.shifted(other, rng)
    if moved is None:
        raise Refused(f"I know tasks of the family {known.family.name} about one subject only.")
    return Invention(known.family, moved[0], f"another subject: {moved[1]}", moved[1])


def _bound(known: Recognised, rng: random.Random) -> Invention:
    part = _other_values(known, rng)
    family = _builder(BoundFamily, known)
    if (params := family.bind(part, rng)) is None:
        raise Refused("I know no constraint that the result of this task could be held to.")
    return Invention(family, params, f"a constraint: {params.rule[0]} {params.rule[1]}")


def _deeper(known: Recognised, rng: random.Random) -> Invention:
    return _deep(known, near_kinds(known.family.tools_for(known.params)), rng)


def _with_a_tool(known: Recognised, rng: random.Random) -> Invention:
    return _deep(known, further_kinds(known.family, known.family.tools_for(known.params)), rng)


def _deep(known: Recognised, kinds: set[str], rng: random.Random) -> Invention:
    family = _builder(DeepFamily, known)
    if not kinds:
        raise Refused("I know no sub-task whose tools would suit this task.")
    params = family.over(_other_values(known, rng), kinds, rng)
    if params is None:
        raise ValueError("no number of the task is the result of a sub-task")
    return Invention(
        family, params, f"{params.letter} is the result of a sub-task: {params.sub[0]} {params.sub[1]}"
    )


def _width(known: Recognised, partner: Recognised, rng: random.Random) -> Invention:
    families = [
        one for one in BUILT if isinstance(one, PairFamily) and one.task_type == known.family.task_type
    ]
    if partner.family.task_type != known.family.task_type:
        raise Refused("Two tasks of different types cannot be merged.")
    parts = Part(_simple(known), known.params), _other_values(partner, rng)
    for family in families:
        if pair := family.joined(*parts):
            return Invention(family, pair, f"merged with {partner.family.name}")
    raise ValueError("these two tasks do not go together")


def _other_values(known: Recognised, rng: random.Random) -> Part:
    return Part(_simple(known), known.family.neighbour(known.params, rng))


def _simple(known: Recognised) -> SimpleFamily[Any]:
    if not isinstance(known.family, SimpleFamily):
        raise Refused("The task is built of others already; I build upon simple ones only.")
    return known.family


def _builder(kind: type[Any], known: Recognised) -> Any:
    """The family of that kind for tasks of the type that is known."""
    return next(one for one in BUILT if isinstance(one, kind) and one.task_type == known.family.task_type)


_OPERATORS: dict[str, Callable[[Recognised, random.Random], Invention]] = {
    "parameter": _neighbour,
    "complexity_up": _harder,
    "complexity_down": _easier,
    "constraint": _bound,
    "domain_shift": _shifted,
    "language": _other_language,
    "depth": _deeper,
    "tool_extension": _with_a_tool,
}
