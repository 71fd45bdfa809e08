"""The index of near-duplicates against the plain comparison with every known task."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from adp_assets.mutation.novelty import index as index_module
from adp_assets.mutation.novelty.index import NoveltyIndex
from adp_assets.mutation.novelty.shingles import NEAR_COPY, Hashes, hashes
from benchmarks.synthesis.novelty import measure
from runtimes.llm.teacher.families import ALL_FAMILIES


def real_texts(count: int, seed: int) -> list[str]:
    """Descriptions of the teacher's families, in both languages, many of them near copies of others."""
    rng = random.Random(seed)
    texts = []
    for number in range(count):
        family = ALL_FAMILIES[number % len(ALL_FAMILIES)]
        language = rng.choice(("en", "zh"))
        texts.append(family.render(family.sample(rng), language, rng.randrange(3)))
    return texts


def random_sets(count: int, seed: int) -> list[Hashes]:
    """Sets with frequent and rare members, some drawn from others with a few members changed."""
    rng = random.Random(seed)
    sets: list[set[int]] = []
    for _ in range(count):
        if sets and rng.random() < 0.4:
            own = set(rng.choice(sets))
            for each in rng.sample(sorted(own), k=min(len(own), rng.randrange(8))):
                own.discard(each)
            own |= {rng.randrange(1 << 60) for _ in range(rng.randrange(8))}
        else:
            own = {int(rng.paretovariate(0.3)) % (1 << 60) for _ in range(rng.randrange(1, 60))}
        sets.append(own or {1})
    return [np.array(sorted(own), np.uint64) for own in sets]


def similarity(one: frozenset[int], other: frozenset[int]) -> float:
    shared = len(one & other)
    return shared / len(one | other)


def index_of(sets: Sequence[Hashes]) -> NoveltyIndex:
    """Half of them loaded at once, the others added one after another."""
    index = NoveltyIndex()
    half = len(sets) // 2
    index.extend([f"t{number}" for number in range(half)], sets[:half])
    for number in range(half, len(sets)):
        index.add(f"t{number}", sets[number])
    return index


def check_against_all(sets: Sequence[Hashes], asked: Sequence[Hashes]) -> int:
    """Compare the index's answers with the plain comparison; gives how many were near copies."""
    index = index_of(sets)
    plain = [frozenset(own.tolist()) for own in sets]
    copies = 0
    for own in asked:
        mine = frozenset(own.tolist())
        best = max(similarity(mine, other) for other in plain)
        found = index.nearest(own)
        assert found.is_copy == (best >= NEAR_COPY)
        if found.exact:
            assert found.similarity == pytest.approx(best)
        assert found.similarity <= best + 1e-12
        if found.task_id:
            assert similarity(mine, plain[int(found.task_id[1:])]) == pytest.approx(found.similarity)
        copies += found.is_copy
    return copies


@pytest.mark.parametrize("cheaply", [0, 50, index_module.CHEAPLY_READ])
def test_it_finds_what_a_comparison_with_all_finds_in_random_sets(
    cheaply: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "CHEAPLY_READ", cheaply)
    monkeypatch.setattr(index_module, "MOST_COMPARED", 3)
    monkeypatch.setattr(index_module, "TAIL", 100)
    sets = random_sets(1_200, seed=1)
    copies = check_against_all(sets[:1_000], sets[1_000:])
    assert 20 < copies < 180


@pytest.mark.parametrize("cheaply", [0, index_module.CHEAPLY_READ])
def test_it_finds_what_a_comparison_with_all_finds_in_real_texts(
    cheaply: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "CHEAPLY_READ", cheaply)
    texts = real_texts(1_000, seed=2)
    copies = check_against_all([hashes(text) for text in texts[:850]], [hashes(t) for t in texts[850:]])
    assert 10 < copies < 150


def test_all_that_is_asked_is_exact_in_a_pool_where_little_is_shared() -> None:
    index = index_of([hashes(text) for text in real_texts(300, seed=3)])
    assert all(index.nearest(hashes(text)).exact for text in real_texts(50, seed=4))


def test_a_description_is_known_as_soon_as_it_was_added() -> None:
    index = NoveltyIndex()
    own = hashes("Write a function that adds two numbers and gives back their sum.")
    assert index.nearest(own).task_id == ""
    index.add("a", own)
    assert (index.nearest(own).task_id, index.nearest(own).similarity) == ("a", 1.0)
    assert "a" in index
    assert len(index) == 1


def test_a_description_of_no_words_is_like_nothing() -> None:
    index = index_of([hashes(text) for text in ("", "one two three four", "")])
    assert index.nearest(hashes("  ")).task_id == ""
    assert index.nearest(hashes("one two three four")).task_id == "t1"


def test_the_measurement_finds_the_near_copies_that_it_hid() -> None:
    found = measure(tasks=2_000, checks=200)
    assert 10 <= found["novelty_copies"] <= 40
    assert found.keys() >= {"index_tasks_per_second", "novelty_ms"}
