"""How much work a run of rounds is: episodes by task type, and the calls of synthesis that follow them.

Nobody knows beforehand how many tasks will be solved, and so what later rounds will run; the shares here are
assumed, and the range goes from none to all. What the work takes is `estimate.py`'s.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from adp_assets.estimate import Load

SOLVED = 0.7
"""The share of tasks taken to be solved; each of these gives an essence."""

ACCEPTED = 0.8
"""The share of proposed tasks taken to pass the gates."""

CALLS_A_PROPOSAL = 2
"""The idea, then the task made of it."""


class Course(Struct, frozen=True, kw_only=True):
    """How rounds go: `samples` episodes a task, `mutations` proposed for each essence, 0 where none are.

    `rounds` are the new ones, `size` is the most tasks of one, `accept` how many solved episodes are enough.
    """

    rounds: int
    samples: int
    size: int
    mutations: int
    accept: int | None = None


def rest_of_round(name: str, episodes: Mapping[str, int], mutations: int) -> list[Load]:
    """What is left of a round that was begun: its episodes by type, and synthesis over its tasks."""
    loads = [
        Load(round=name, what=kind, least=count, likely=count, most=count)
        for kind, count in sorted(episodes.items())
    ]
    tasks = sum(episodes.values())
    return loads + _synthesis(name, tasks, tasks, mutations)


def new_rounds(waiting: Mapping[str, int], course: Course) -> list[Load]:
    """The first new round over the tasks that wait, by type, and those that grow out of it."""
    loads: list[Load] = []
    likely = most = _cut(Counter(waiting), course.size)
    for number in range(1, course.rounds + 1):
        name = f"new round {number}"
        for kind in sorted(most):
            loads.append(_episodes(name, kind, likely[kind], most, course, first=number == 1))
        loads += _synthesis(name, likely.total(), most.total(), course.mutations)
        grown = SOLVED * ACCEPTED * course.mutations
        likely = _cut(Counter({kind: round(n * grown) for kind, n in likely.items()}), course.size)
        most = _cut(Counter({kind: n * course.mutations for kind, n in most.items()}), course.size)
        if not most.total():
            break
    return loads


def _episodes(
    name: str, kind: str, tasks: int, most_tasks: Counter[str], course: Course, *, first: bool
) -> Load:
    """A first round runs all its tasks unless enough are solved before, later ones what was made of them."""
    likely, most = tasks * course.samples, most_tasks[kind] * course.samples
    if course.accept is None:
        return Load(round=name, what=kind, least=likely if first else 0, likely=likely, most=most)
    wanted = course.accept * most_tasks[kind] / most_tasks.total()
    enough = min(math.ceil(wanted / SOLVED), likely)
    return Load(
        round=name, what=kind, least=min(math.ceil(wanted), likely) if first else 0, likely=enough, most=most
    )


def _synthesis(name: str, tasks: int, most_tasks: int, mutations: int) -> list[Load]:
    """One essence a solved task; a question that has to be put twice makes it twice the calls, at most."""
    if not mutations:
        return []
    essences = round(tasks * SOLVED)
    calls = {
        "distillation": (essences, most_tasks),
        "mutation": (essences * mutations * CALLS_A_PROPOSAL, most_tasks * mutations * CALLS_A_PROPOSAL),
    }
    return [
        Load(round=name, what=stage, unit="calls", least=0, likely=likely, most=2 * most)
        for stage, (likely, most) in calls.items()
    ]


def _cut(tasks: Counter[str], size: int) -> Counter[str]:
    """No more than a round's size, the types in their proportion."""
    if (total := tasks.total()) <= size:
        return tasks
    return Counter({kind: round(count * size / total) for kind, count in tasks.items()})
