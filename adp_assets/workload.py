"""How much work a run of rounds is: episodes by task type, then synthesis: its calls, and its trials.

Nobody knows beforehand how many tasks will be solved, how many will teach something and how many new ones
will be accepted, and so what later rounds will run; the shares here are assumed, and the range goes from none
to all. What the work takes is `estimate.py`'s.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from adp_assets.estimate import Load

SOLVED = 0.7
"""The share of tasks taken to be solved."""

TEACHING = 0.9
"""The share of tasks taken to give an essence: those solved, and failures that got far enough."""

TRIED = 0.9
"""The share of proposed tasks taken to come as far as their trials."""

ACCEPTED = 0.8
"""The share of proposed tasks taken to pass all gates."""

CALLS_A_PROPOSAL = 2
"""The idea, then the task made of it."""


class Course(Struct, frozen=True, kw_only=True):
    """How rounds go: `samples` episodes a task, `mutations` proposed for each essence, 0 where none are, and
    `trials` of each proposed task.

    `rounds` are the new ones, `size` is the most tasks of one, `accept` how many solved episodes are enough.
    """

    rounds: int
    samples: int
    size: int
    mutations: int
    trials: int
    accept: int | None = None


def rest_of_round(
    name: str, episodes: Mapping[str, int], tasks: Mapping[str, int], course: Course
) -> list[Load]:
    """What is left of a round that was begun: its episodes by type, and synthesis over its `tasks`, by type.

    `course.accept` is how many more solved episodes end it, where so many do.
    """
    left, run = Counter(episodes), Counter(tasks)
    loads = [_wanted_of(name, kind, left, left, course.accept, first=True) for kind in sorted(left)]
    if course.accept is not None:
        done = run - left
        run = Counter({load.what: min(run[load.what], done[load.what] + load.likely) for load in loads})
    return loads + _synthesis(name, run, Counter(tasks), course)


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
        loads += episodes + _synthesis(name, run, most, course)
        wanted = still_wanted(wanted, episodes)
        grown = TEACHING * ACCEPTED * course.mutations
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


def _synthesis(name: str, tasks: Counter[str], most_tasks: Counter[str], course: Course) -> list[Load]:
    """One essence a task at most, and of each proposals, each tried in episodes of its own.

    A question that has to be put twice makes it twice the calls, at most.
    """
    if not course.mutations:
        return []
    essences, most = round(tasks.total() * TEACHING), most_tasks.total()
    proposed = course.mutations * CALLS_A_PROPOSAL
    calls = {"distillation": (essences, most), "mutation": (essences * proposed, most * proposed)}
    tried = {
        kind: (round(tasks[kind] * TEACHING * course.mutations * TRIED), most_tasks[kind] * course.mutations)
        for kind in sorted(most_tasks)
        if course.trials
    }
    return [
        Load(round=name, what=stage, unit="calls", least=0, likely=likely, most=2 * most)
        for stage, (likely, most) in calls.items()
    ] + [
        Load(
            round=name,
            what=kind,
            unit="trials",
            least=0,
            likely=likely * course.trials,
            most=most * course.trials,
        )
        for kind, (likely, most) in tried.items()
    ]


def _cut(tasks: Counter[str], size: int) -> Counter[str]:
    """No more than a round's size, the types in their proportion."""
    if (total := tasks.total()) <= size:
        return tasks
    return Counter({kind: round(count * size / total) for kind, count in tasks.items()})
