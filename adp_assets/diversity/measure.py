"""The measures of a round: of its words, domains, tools, types, languages and lineage. Plain computation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from adp_assets.diversity.likeness import distance, near_copies
from adp_assets.diversity.rarefaction import entropy
from adp_assets.languages import language_of
from adp_assets.mutation.novelty.shingles import shingles, words
from runtimes.contracts import TaskSpec

UNNAMED = "unnamed"
"""The domain of a task of which none was said."""

UNSURE = "unsure"
"""The language of a task of mostly code, names or numbers."""


class Spread(Struct, frozen=True, kw_only=True):
    """How evenly something is spread: `counts` a kind, entropy in bits, and that as a share of the most."""

    counts: dict[str, int]
    bits: float
    evenness: float


class Lineages(Struct, frozen=True, kw_only=True):
    """Where a round's tasks come from: tasks a generation, depth and breadth of their descent.

    `depth` is the highest generation, `roots` how many seeds have descendants or themselves in the round,
    `largest_root` the share of the most frequent; `parents` of the made tasks, and their children each.
    """

    generations: dict[str, int]
    depth: int
    roots: int
    largest_root: float
    parents: int
    children_a_parent: float
    most_children: int


class Made(Struct, frozen=True, kw_only=True):
    """What the alarm compares: only the tasks that were made, since people's own are none of synthesis's.

    `domains` are tasks a domain. `repeats` tell how many word 3-grams occur once, twice and so on, by the
    number as text.
    """

    tasks: int
    domains: dict[str, int]
    repeats: dict[str, int]


class Measures(Struct, frozen=True, kw_only=True):
    """How varied a round's tasks are. Shares and rates are from 0 to 1; None where nothing can be said.

    `distinct` are the distinct n-grams of words over all n-grams, for n of 1, 2 and 3 (Li et al., "A
    diversity-promoting objective function for neural conversation models", 2016). `near_duplicates` is the
    share of tasks that are near copies of another before them. `from_seeds` is the mean distance of the made
    tasks to the nearest of the seeds that the round's tasks come from.
    """

    tasks: int
    distinct: tuple[float, float, float]
    domains: Spread
    tools: Spread
    types: Spread
    languages: Spread
    near_duplicates: float
    from_seeds: float | None
    lineage: Lineages
    made: Made


def measure(tasks: Sequence[TaskSpec], seeds: Iterable[str]) -> Measures:
    """The measures of a round's tasks, at least one; `seeds` are the descriptions of their root seeds."""
    made = [task for task in tasks if task.lineage.generation > 0]
    described = {task.task_id: shingles(task.description) for task in tasks}
    return Measures(
        tasks=len(tasks),
        distinct=(_distinct(tasks, 1), _distinct(tasks, 2), _distinct(tasks, 3)),
        domains=spread(map(domain, tasks)),
        tools=spread(tool for task in tasks for tool in set(task.expected_tools)),
        types=spread(task.task_type for task in tasks),
        languages=spread(language_of(task.description) or UNSURE for task in tasks),
        near_duplicates=near_copies(list(described.values())) / len(tasks),
        from_seeds=distance([described[task.task_id] for task in made], list(map(shingles, seeds))),
        lineage=_lineages(tasks, made),
        made=Made(
            tasks=len(made),
            domains=dict(Counter(map(domain, made))),
            repeats={str(times): count for times, count in sorted(Counter(_grams(made, 3).values()).items())},
        ),
    )


def spread(kinds: Iterable[str]) -> Spread:
    """Kinds counted, the most frequent first; the evenness of one kind alone is 0."""
    counts = Counter(kinds)
    bits = entropy(counts.values())
    evenness = bits / math.log2(len(counts)) if len(counts) > 1 else 0.0
    return Spread(counts=dict(counts.most_common()), bits=bits, evenness=evenness)


def domain(task: TaskSpec) -> str:
    return str(task.metadata.get("domain") or UNNAMED)


def _grams(tasks: Sequence[TaskSpec], n: int) -> Counter[tuple[str, ...]]:
    return Counter(
        gram
        for task in tasks
        for said in [words(task.description)]
        for gram in zip(*(said[start:] for start in range(n)), strict=False)
    )


def _distinct(tasks: Sequence[TaskSpec], n: int) -> float:
    grams = _grams(tasks, n)
    return len(grams) / grams.total() if grams else 0.0


def _lineages(tasks: Sequence[TaskSpec], made: Sequence[TaskSpec]) -> Lineages:
    generations = Counter(task.lineage.generation for task in tasks)
    roots = Counter(task.lineage.root_id for task in tasks)
    children = Counter(parent for task in made for parent in task.lineage.parents)
    return Lineages(
        generations={str(each): generations[each] for each in sorted(generations)},
        depth=max(generations, default=0),
        roots=len(roots),
        largest_root=max(roots.values(), default=0) / max(len(tasks), 1),
        parents=len(children),
        children_a_parent=children.total() / len(children) if children else 0.0,
        most_children=max(children.values(), default=0),
    )
