"""The index of near-duplicates: an inverted index over hashed shingles, asked for the nearest task.

Two sets that share a Jaccard similarity of `t` share so many members that any `n - ceil(t * n) + 1` of the
one's `n` include a shared one (the prefix filter of Chaudhuri, Ganti and Kaushik, ICDE 2006). So the rarest
members of a description are looked up, what they lead to is compared as a whole, and frequent ones, such as
"write a python function", are read only as far as that costs little.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from adp_assets.mutation.novelty.shingles import NEAR_COPY, Hashes

CHEAPLY_READ = 20_000
"""Places of shingles in tasks that a look-up reads even where the prefix filter does not ask for it."""

MOST_COMPARED = 500
"""Tasks that are compared as a whole at a time; more only as long as a near copy may be among them."""

TAIL = 1_024
"""So many tasks are kept apart before they are merged into the sorted arrays."""


@dataclass(frozen=True)
class Nearest:
    """The known task nearest to a description, and their similarity from 0 to 1; no task, and 0, for none.

    Whether there is a near copy is always right, and so is the similarity to the task that is named. `exact`
    says that none can be nearer; where it is false, that similarity is a lower bound of the nearest one's.
    """

    task_id: str = ""
    similarity: float = 0.0
    exact: bool = True

    @property
    def is_copy(self) -> bool:
        return self.similarity >= NEAR_COPY


class NoveltyIndex:
    """Descriptions by their hashed shingles. Adding one takes effect at once."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._known: set[str] = set()
        self._merged = 0
        # Of the merged tasks: each one's hashes in a row, and every hash with its task, sorted by hash.
        self._starts: NDArray[np.int64] = np.zeros(1, np.int64)
        self._members: Hashes = np.empty(0, np.uint64)
        self._hashes: Hashes = np.empty(0, np.uint64)
        self._tasks: NDArray[np.int32] = np.empty(0, np.int32)
        # Of the others.
        self._tail: list[Hashes] = []
        self._places: defaultdict[int, list[int]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._known

    def add(self, task_id: str, own: Hashes) -> None:
        """Let one more task be known."""
        place = len(self._tail)
        self._ids.append(task_id)
        self._known.add(task_id)
        self._tail.append(own)
        for each in own.tolist():
            self._places[each].append(place)
        if len(self._tail) >= TAIL:
            tail, self._tail = self._tail, []
            self._places.clear()
            self._merge(tail)

    def extend(self, task_ids: Sequence[str], sets: Sequence[Hashes]) -> None:
        """Let many more tasks be known, as when the pool is loaded."""
        tail, self._tail = self._tail, []
        self._places.clear()
        self._ids.extend(task_ids)
        self._known.update(task_ids)
        self._merge([*tail, *sets])

    def nearest(self, own: Hashes) -> Nearest:
        """The nearest of all known tasks."""
        if not own.size:
            return Nearest()
        merged, beyond = self._nearest_merged(own)
        best = max(merged, self._nearest_in_tail(own), key=lambda found: found.similarity)
        return replace(best, exact=best.similarity >= beyond)

    def _merge(self, tail: list[Hashes]) -> None:
        if not tail:
            return
        sizes = np.array([own.size for own in tail], np.int64)
        members = np.concatenate(tail)
        tasks = np.repeat(np.arange(self._merged, self._merged + len(tail), dtype=np.int32), sizes)
        order = np.argsort(members, kind="stable")
        places = np.searchsorted(self._hashes, members[order], side="right")
        self._hashes = np.insert(self._hashes, places, members[order])
        self._tasks = np.insert(self._tasks, places, tasks[order])
        self._starts = np.concatenate((self._starts, self._starts[-1] + np.cumsum(sizes)))
        self._members = np.concatenate((self._members, members))
        self._merged += len(tail)

    def _nearest_in_tail(self, own: Hashes) -> Nearest:
        shared: Counter[int] = Counter()
        for each in own.tolist():
            shared.update(self._places.get(each, ()))
        best, place = 0.0, -1
        for at, count in shared.items():
            similarity = count / (own.size + self._tail[at].size - count)
            if similarity > best:
                best, place = similarity, at
        return Nearest(self._ids[self._merged + place], best) if place >= 0 else Nearest()

    def _nearest_merged(self, own: Hashes) -> tuple[Nearest, float]:
        """The nearest merged task of those looked at, and how near another may be at most."""
        tasks, counts, unread = self._looked_up(own)
        if not tasks.size:
            return Nearest(), unread / own.size
        sizes = self._starts[tasks + 1] - self._starts[tasks]
        similarity = counts / (own.size + sizes - counts)
        beyond = 0.0
        if unread:
            possible = np.minimum(counts + unread, sizes)
            at_most = possible / (own.size + sizes - possible)
            worth = np.flatnonzero(at_most >= similarity.max())
            worth = worth[np.argsort(-at_most[worth], kind="stable")]
            similarity, left = self._compared_until_copy(own, tasks[worth], at_most[worth])
            tasks, beyond = tasks[worth], max(unread / own.size, left)
        best = int(similarity.argmax())
        return Nearest(self._ids[tasks[best]], float(similarity[best])), beyond

    def _compared_until_copy(
        self, own: Hashes, tasks: NDArray[np.int64], at_most: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float]:
        """The similarity of these tasks, the likeliest first, and how near those not compared may be at most.

        Compared are as many as cost little, and beyond these whatever may be a near copy until one is found.
        """
        found = [self._compared(own, tasks[:MOST_COMPARED])]
        end = MOST_COMPARED
        while end < tasks.size and at_most[end] >= NEAR_COPY > found[-1].max():
            found.append(self._compared(own, tasks[end : end + MOST_COMPARED]))
            end += MOST_COMPARED
        return np.concatenate(found), float(at_most[end]) if end < tasks.size else 0.0

    def _looked_up(self, own: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """The tasks that the rarest hashes lead to, how many of these each has, and how many were left."""
        starts = np.searchsorted(self._hashes, own, side="left")
        frequency = np.searchsorted(self._hashes, own, side="right") - starts
        rarest = np.argsort(frequency, kind="stable")
        prefix = own.size - math.ceil(NEAR_COPY * own.size - 1e-9) + 1
        cheap = int(np.searchsorted(np.cumsum(frequency[rarest]), CHEAPLY_READ, side="right"))
        read = rarest[: max(prefix, cheap)]
        found = [self._tasks[starts[each] : starts[each] + frequency[each]] for each in read]
        counts = np.bincount(np.concatenate(found))
        tasks = np.flatnonzero(counts)
        return tasks, counts[tasks], own.size - read.size

    def _compared(self, own: Hashes, tasks: NDArray[np.int64]) -> NDArray[np.float64]:
        """The similarity of each of these tasks, all their shingles taken."""
        starts, ends = self._starts[tasks], self._starts[tasks + 1]
        sizes = ends - starts
        firsts = np.cumsum(sizes) - sizes
        members = self._members[np.arange(sizes.sum()) + np.repeat(starts - firsts, sizes)]
        at = np.minimum(np.searchsorted(own, members), own.size - 1)
        shared = np.add.reduceat((own[at] == members).astype(np.int64), firsts)
        similarity: NDArray[np.float64] = shared / (own.size + sizes - shared)
        return similarity
