"""Which candidates a round takes: a mix by difficulty, novelty, type, domain, root seed and age.

Plain computation on what `cut.py` found: the same candidates, seed and aim give the same mix.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from adp_assets.selection.aim import Mix
from adp_assets.selection.cut import OLDEST, Candidate

LEAST = 10
"""A round has so many tasks where so many wait, though that leaves the bounds of its pass rate or a quota."""
NOVELTY, AGE, CHANCE = 0.5, 0.25, 0.25
"""What a task's merit is made of."""
BANDS = 5
"""Difficulty is told apart in so many steps."""


@dataclass(frozen=True)
class Chosen:
    """A task of a round: by which rule it came in, its expected pass rate, and why in words."""

    task_id: str
    rule: str
    reason: str


@dataclass(frozen=True)
class Entry:
    """A candidate with what is expected of it. `rule` is mix, or age for one of the longest waiting."""

    candidate: Candidate
    expected: float
    rule: str


@dataclass
class Mixed:
    """A round while it is filled: `places` are those for new tasks, `root_quota` of them for one root seed.

    `expected` has the pass rates of the tasks in it for which one is known, people's and new ones. `waiting`
    are the candidates passed over.
    """

    mix: Mix
    aim: float
    places: int
    root_quota: int
    expected: list[float] = field(default_factory=list)
    chosen: list[Chosen] = field(default_factory=list)
    waiting: list[Entry] = field(default_factory=list)
    roots: Counter[str] = field(default_factory=Counter)
    domains: Counter[str] = field(default_factory=Counter)
    _sum: float = 0.0

    def __post_init__(self) -> None:
        self._sum = math.fsum(self.expected)

    @property
    def rate(self) -> float | None:
        """The pass rate expected of the round as it stands; None where nothing is known."""
        return self._sum / len(self.expected) if self.expected else None

    @property
    def held_back(self) -> int:
        """Candidates that wait though places are left, since their roots have had their quota."""
        if len(self.chosen) >= self.places:
            return 0
        return sum(self.roots[entry.candidate.root_id] >= self.root_quota for entry in self.waiting)

    def fill(self, entries: Sequence[Entry]) -> None:
        """Take entries in their order: the next harder one while the round is easier than its aim, else the
        next easier one; what would leave the bounds, or a root's quota, is passed over.
        """
        harder = deque(entry for entry in entries if entry.expected <= self.aim)
        easier = deque(entry for entry in entries if entry.expected > self.aim)
        while len(self.chosen) < self.places and (harder or easier):
            rate = self.rate
            too_easy = rate is None or rate > self.aim
            both = bool(harder and easier)
            entry = ((harder or easier) if too_easy else (easier or harder)).popleft()
            over = self.roots[entry.candidate.root_id] >= self.root_quota
            # While both kinds are there, each makes up for the other.
            if over or not (both or self._bears(entry.expected)):
                self.waiting.append(entry)
            else:
                self.take(entry, entry.rule)
        self.waiting += [*harder, *easier]

    def take(self, entry: Entry, rule: str) -> None:
        candidate = entry.candidate
        self.roots[candidate.root_id] += 1
        self.domains[candidate.domain] += 1
        self.chosen.append(Chosen(candidate.task_id, rule, self._why(entry, rule)))
        self.expected.append(entry.expected)
        self._sum += entry.expected

    def _bears(self, expected: float) -> bool:
        """Whether the round stays within its bounds with one more such task, or comes nearer to them."""
        after = self.mix.outside((self._sum + expected) / (len(self.expected) + 1))
        return not after or (self.rate is not None and after < self.mix.outside(self.rate))

    def _why(self, entry: Entry, rule: str) -> str:
        task = entry.candidate
        side = "harder" if entry.expected <= self.aim else "easier"
        grounds = [f"trials {task.tried:.2f}"] if task.tried is not None else []
        grounds += [f"its parent {task.record:.2f}"] if task.record is not None else []
        novelty = "unknown" if task.novelty is None else f"{task.novelty:.2f}"
        return (
            f"{_RULES[rule].format(priority=task.priority)}; "
            f"expected to be solved {entry.expected:.2f} of the time ({', '.join(grounds) or 'a guess'}), "
            f"{side} than the aim {self.aim:.2f}; novelty {novelty}; "
            f"number {self.domains[task.domain]} of domain {task.domain or 'unnamed'}, "
            f"{self.roots[task.root_id]} of root {task.root_id}"
        )


_RULES = {
    "age": "age: among the longest waiting of priority {priority}",
    "mix": "mix: its turn among those of priority {priority}",
    "least": f"least: outside the bounds or a root's quota, but a round has {LEAST} tasks where so many wait",
}


def mixed(
    candidates: Sequence[Candidate],
    *,
    mix: Mix,
    aim: float,
    seed: str,
    places: int,
    people: Sequence[float | None] = (),
) -> Mixed:
    """Fill a round's `places` from candidates, beside people's tasks with these expected pass rates.

    Candidates of a higher priority come first; within one priority a tenth of the places go to the longest
    waiting and the others by turn. A root's quota leaves places empty rather than give way; only where the
    round would be of fewer than `LEAST` tasks, quotas and bounds do.
    """
    known = [rate for rate in people if rate is not None]
    quota = mix.root_quota(min(places, len(candidates)), len({each.root_id for each in candidates}))
    round = Mixed(mix, aim, places, quota, expected=known)
    entries = [Entry(each, mix.expected(each, aim), "mix") for each in candidates]
    for priority in sorted({each.priority for each in candidates}, reverse=True):
        round.fill(_in_order([e for e in entries if e.candidate.priority == priority], seed, places))
    passed_over, round.waiting = round.waiting, []
    round.fill(passed_over)
    missing = min(LEAST - len(people), places) - len(round.chosen)
    if missing > 0:
        nearest = sorted(round.waiting, key=lambda entry: abs(entry.expected - aim))[:missing]
        for entry in nearest:
            round.take(entry, "least")
        round.waiting = [entry for entry in round.waiting if entry not in nearest]
    return round


def _in_order(entries: list[Entry], seed: str, places: int) -> list[Entry]:
    """The longest waiting, then the others by turn."""
    by_age = sorted(entries, key=lambda entry: (entry.candidate.added_at, entry.candidate.task_id))
    oldest = by_age[: math.ceil(OLDEST * places)]
    others = by_age[len(oldest) :]
    return [Entry(entry.candidate, entry.expected, "age") for entry in oldest] + _by_turn(others, seed)


def _by_turn(entries: list[Entry], seed: str) -> list[Entry]:
    """Entries, given oldest first, so that each difficulty, type, domain and root gets its equal turn.

    A task's turn is the later, the more tasks of its own kind have more merit: its place among those of its
    difficulty, of its type, of its domain and of its root, each multiplied by how many such kinds there are.
    """
    if not entries:
        return []
    merit = {
        entry.candidate.task_id: _merit(entry.candidate, 1 - place / len(entries), seed)
        for place, entry in enumerate(entries)
    }
    best_first = sorted(entries, key=lambda entry: (-merit[entry.candidate.task_id], entry.candidate.task_id))
    turns: Counter[str] = Counter()
    for kinds in zip(*map(_kinds, best_first), strict=True):
        different = len(set(kinds))
        for entry, place in zip(best_first, _places(kinds), strict=True):
            turns[entry.candidate.task_id] += place * different
    return sorted(best_first, key=lambda entry: turns[entry.candidate.task_id])


def _merit(candidate: Candidate, age: float, seed: str) -> float:
    """From 0 to 1. `age` is the share of the others that came later."""
    digest = hashlib.blake2b(f"{seed}\0{candidate.task_id}".encode("utf-8", "surrogatepass"), digest_size=4)
    chance = int.from_bytes(digest.digest()) / 2**32
    novelty = 0.5 if candidate.novelty is None else candidate.novelty
    return NOVELTY * novelty + AGE * age + CHANCE * chance


def _kinds(entry: Entry) -> tuple[str, str, str, str]:
    candidate = entry.candidate
    band = min(int(entry.expected * BANDS), BANDS - 1)
    return str(band), candidate.task_type, candidate.domain, candidate.root_id


def _places(kinds: Iterable[str]) -> list[int]:
    """For each the number of equal ones before it."""
    seen: Counter[str] = Counter()
    places = []
    for kind in kinds:
        places.append(seen[kind])
        seen[kind] += 1
    return places
