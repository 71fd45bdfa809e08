"""The measures of a round, by rounds whose measures one can tell by looking."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from adp_assets.diversity.likeness import distance, near_copies
from adp_assets.diversity.measure import Lineages, measure
from adp_assets.mutation.novelty.shingles import NEAR_COPY, jaccard, shingles
from runtimes.contracts import Lineage, TaskSpec
from tests.adp_assets.selection.pools import made
from tests.adp_assets.tasks import task

LONG = "Write a function that adds the prices of every item in the list and gives the sum of them all"


def describe(task_id: str, text: str, **fields: object) -> TaskSpec:
    return made(task_id, "s", description=text, **fields)  # type: ignore[arg-type]


def test_distinct_grams_are_the_share_of_those_that_are_not_repeated() -> None:
    measures = measure(
        [task("a", description="one two three four"), task("b", description="One two three five")], []
    )
    assert measures.distinct == (5 / 8, 4 / 6, 3 / 4)


def test_chinese_characters_count_as_words() -> None:
    assert measure([task("a", description="写一个函数")], []).distinct == (1.0, 1.0, 1.0)


def test_spreads_count_kinds_and_say_how_evenly() -> None:
    tasks = [made(f"t{n}", "s", domain="sorting" if n < 2 else "graphs") for n in range(4)]
    tasks += [made("w", "s", task_type="web", expected_tools=["browser", "browser", "python_executor"])]
    measures = measure(tasks, [])
    assert measures.domains.counts == {"sorting": 2, "graphs": 2, "unnamed": 1}
    assert measures.domains.bits == pytest.approx(1.5219, abs=1e-4)
    assert measures.domains.evenness == pytest.approx(measures.domains.bits / 1.58496, abs=1e-4)
    assert measures.tools.counts == {"browser": 1, "python_executor": 1}
    assert (measures.tools.bits, measures.tools.evenness) == (1.0, 1.0)
    assert measures.types.counts == {"code": 4, "web": 1}
    assert measure(tasks[:1], []).types.evenness == 0.0


def test_languages_are_counted_and_what_is_of_any_by_itself() -> None:
    described = (
        *("Write a function that adds two numbers.", "A function named 求和 that adds numbers up"),
        *("写一个函数 sort_list", "Напиши функцию", "1 + 1 = ?"),
    )
    tasks = [task(str(number), description=text) for number, text in enumerate(described)]
    assert measure(tasks, []).languages.counts == {"en": 2, "zh": 1, "ru": 1, "unsure": 1}


def test_near_duplicates_are_tasks_like_one_before_them() -> None:
    tasks = [
        describe("a", LONG),
        describe("b", f"{LONG}."),
        describe("c", f"{LONG} once"),
        describe("d", "Open the shop and buy tea"),
    ]
    assert measure(tasks, []).near_duplicates == 0.5


@pytest.mark.parametrize("seed", range(5))
def test_near_copies_are_those_that_comparing_each_with_each_finds(seed: int) -> None:
    chance = random.Random(seed)
    lines = [[chance.choice("abcde") for _ in range(chance.randrange(1, 14))] for _ in range(150)]
    texts = [shingles(" ".join(line)) for line in lines]
    copies = {
        later
        for earlier, later in combinations(range(len(texts)), 2)
        if jaccard(texts[earlier], texts[later]) >= NEAR_COPY
    }
    assert 5 < len(copies) < 140
    assert near_copies(texts) == len(copies)


def test_the_distance_to_the_seeds_is_that_to_the_nearest_of_them() -> None:
    seeds = [LONG, "Open the shop and buy tea"]
    copy, foreign = describe("a", LONG), describe("b", "Count how many words begin with a vowel")
    assert measure([copy, foreign, task("s", description=LONG)], seeds).from_seeds == pytest.approx(0.5)
    assert measure([task("s")], seeds).from_seeds is None
    assert distance([shingles(LONG)], []) is None


def test_lineage_is_measured_in_depth_and_breadth() -> None:
    grandchild = task("g", lineage=Lineage("s", ("a", "b"), "width", 2))
    tasks = [task("s"), made("a", "s"), made("b", "s"), grandchild, made("z", "other")]
    assert measure(tasks, []).lineage == Lineages(
        generations={"0": 1, "1": 3, "2": 1},
        depth=2,
        roots=2,
        largest_root=0.8,
        parents=4,
        children_a_parent=5 / 4,
        most_children=2,
    )
