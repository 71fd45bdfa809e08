"""How much work a run of rounds is: episodes by task type, and the calls of synthesis that follow them.

Nobody knows beforehand how many tasks will be solved, and so what later rounds will run; the shares here are
assumed, and the range goes from none to all. What the work takes is `estimate.py`'s.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

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


def rest_of_round(
    name: str, episodes: Mapping[str, int], tasks: int, mutations: int, wanted: int | None = None
) -> list[Load]:
    """What is left of a round that was begun: its episodes by type, and synthesis over its `tasks`.

    `wanted` is how many more solved episodes end it, where so many do.
    """
    left = Counter(episodes)
    loads = [_wanted_of(name, kind, left, left, wanted, first=True) for kind in sorted(left)]
    likely = min(tasks, sum(load.likely for load in loads)) if wanted is not None else tasks
    return loads + _synthesis(name, likely, tasks, mutations)


def still_wanted(wanted: int | None, loads: Iterable[Load]) -> int | None:
    """How many solved episodes are missing after these loads, at the share that is taken to be solved."""
    if wanted is None:
        return None
    episodes = sum(load.likely for load in loads if load.unit == "episodes")
    return max(wanted - math.floor(episodes * SOLVED), 0)


def new_rounds(waiting: Mapping[str, int], course: Course) -> list[Load]:
    """The first new round over the tasks that wait, by type, and those that grow out of it.

    None follows one that is likely to reach the target.
    """
    loads: list[Load] = []
    likely = most = _cut(Counter(waiting), course.size)
    wanted = course.accept
    for number in range(1, course.rounds + 1):
        if not most.total() or wanted == 0:
            break
        name, samples = f"new round {number}", course.samples
        episodes = [
            _wanted_of(name, kind, _times(likely, samples), _times(most, samples), wanted, first=number == 1)
            for kind in sorted(most)
        ]
        # Every task has its first sample before any has its second.
        run = Counter({load.what: min(likely[load.what], load.likely) for load in episodes})
        most_solved = most.total() if wanted is None else min(most.total(), wanted)
        loads += episodes + _synthesis(name, run.total(), most_solved, course.mutations)
        wanted = still_wanted(wanted, episodes)
        grown = SOLVED * ACCEPTED * course.mutations
        likely = _cut(Counter({kind: round(n * grown) for kind, n in run.items()}), course.size)
        most = _cut(_times(most, course.mutations), course.size)
    return loads


def _wanted_of(
    name: str, kind: str, likely: Counter[str], most: Counter[str], wanted: int | None, *, first: bool
) -> Load:
    """A first round runs all its tasks unless enough are solved before, later ones what was made of them."""
    if wanted is None:
        return Load(
            round=name, what=kind, least=likely[kind] if first else 0, likely=likely[kind], most=most[kind]
        )
    share = wanted * most[kind] / max(most.total(), 1)
    enough = min(math.ceil(share / SOLVED), likely[kind])
    least = min(math.ceil(share), likely[kind]) if first else 0
    return Load(round=name, what=kind, least=least, likely=enough, most=most[kind])


def _times(tasks: Counter[str], factor: int) -> Counter[str]:
    return Counter({kind: count * factor for kind, count in tasks.items()})


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
