"""Clusters of near copies, against comparing every pair, and what they ask for and take."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
import polars as pl
import pytest

from adp_assets.curation.likeness.clusters import PAIRS, near_clusters, near_duplicates
from adp_assets.curation.likeness.joined import Rows
from adp_assets.curation.likeness.minhash import band_hashes
from adp_assets.curation.likeness.per_text import PerText
from adp_assets.curation.likeness.shingles import shingles
from tests.adp_assets.curation.likeness.corpora import clusters, corpus

WORDS = [f"word{number}" for number in range(5_000)]


@pytest.mark.parametrize("threshold", [0.7, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(8))
def test_clusters_are_those_of_comparing_every_pair(seed: int, threshold: float) -> None:
    texts = corpus(seed)
    assert near_duplicates(pl.Series(texts), threshold).tolist() == clusters(texts, threshold)


def test_the_order_of_texts_names_clusters_and_changes_none() -> None:
    texts = corpus(3)
    order = list(range(len(texts)))
    random.Random(4).shuffle(order)
    labels = near_duplicates(pl.Series(texts))
    shuffled = near_duplicates(pl.Series([texts[row] for row in order]))
    groups = {frozenset(np.flatnonzero(labels == label).tolist()) for label in labels}
    assert groups == {
        frozenset(order[row] for row in np.flatnonzero(shuffled == label)) for label in shuffled
    }


def test_rounds_kept_as_bands_are_clustered_as_if_they_were_one() -> None:
    texts = corpus(5)
    bands = np.concatenate([band_hashes(pl.Series(part)) for part in (texts[:30], texts[30:31], texts[31:])])
    found = near_clusters(bands, lambda rows: shingles(pl.Series(texts).gather(rows)))
    assert found.tolist() == near_duplicates(pl.Series(texts)).tolist()


def test_texts_without_words_and_texts_without_copies_are_each_their_own() -> None:
    labels = near_duplicates(pl.Series(["", "one text of its own", None, "", "another that is not like it"]))
    assert labels.tolist() == [0, 1, 2, 3, 4]
    assert near_duplicates(pl.Series([], dtype=pl.String)).tolist() == []


def test_only_texts_that_may_have_a_copy_are_asked_for_and_few_at_a_time() -> None:
    rng = random.Random(6)
    texts = [" ".join(rng.choices(WORDS, k=30)) for _ in range(12_000)]
    texts += texts[2_000:]
    asked: list[list[int]] = []

    def told(rows: Rows) -> PerText:
        asked.append(rows.tolist())
        return shingles(pl.Series(texts).gather(rows))

    labels = near_clusters(band_hashes(pl.Series(texts)), told)
    assert labels.tolist() == [*range(12_000), *range(2_000, 12_000)]
    assert sorted(row for rows in asked for row in rows) == list(range(2_000, 22_000))
    assert all(rows == sorted(rows) and len(rows) <= 2 * PAIRS for rows in asked)


def test_copies_are_found_among_many_texts_that_share_half_of_their_words_with_them() -> None:
    """They share buckets with the lowest of these, which is no copy of theirs."""
    rng = random.Random(7)
    shared = rng.choices(WORDS, k=60)
    texts = [" ".join(shared + rng.choices(WORDS, k=40)) for _ in range(1_500)]
    copies = [text.rsplit(" ", 2)[0] for text in texts]
    labels = near_duplicates(pl.Series([*texts, *copies]))
    assert labels.tolist() == [*range(1_500), *range(1_500)]


def test_many_copies_of_a_text_take_no_room_for_all_their_pairs() -> None:
    rng = random.Random(8)
    first = rng.choices(WORDS, k=200)
    texts = []
    for _ in range(3_000):
        words = list(first)
        words[rng.randrange(200)] = rng.choice(WORDS)
        texts.append(" ".join(words))
    bands = band_hashes(pl.Series(texts))
    tracemalloc.start()
    labels = near_clusters(bands, lambda rows: shingles(pl.Series(texts).gather(rows)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not labels.any()
    assert peak < 400e6


def test_texts_of_ten_megabytes_are_compared() -> None:
    rng = random.Random(9)
    huge = " ".join(rng.choices(WORDS, k=1_000_000))
    labels = near_duplicates(pl.Series([huge, "small", huge + " and more", huge[: len(huge) // 2]]))
    assert labels.tolist() == [0, 1, 0, 3]
