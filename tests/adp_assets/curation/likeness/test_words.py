"""The words of texts as numbers: which words are the same, and that the numbers never change."""

from __future__ import annotations

import random

import numpy as np
import polars as pl
import pytest

from adp_assets.curation.likeness.shingles import READING, shingles
from adp_assets.curation.likeness.words import VERSION, batches, word_numbers
from adp_assets.mutation.novelty import shingles as of_tasks
from tests.adp_assets.curation.likeness.corpora import corpus

MEGABYTES = 1 << 20


@pytest.mark.parametrize("seed", range(5))
def test_shingles_are_the_same_sets_as_those_of_task_descriptions(seed: int) -> None:
    texts = corpus(seed)
    found = shingles(pl.Series(texts)).once()
    expected = [of_tasks.shingles(text) for text in texts]
    assert found.counts.tolist() == [len(each) for each in expected]
    numbers: dict[str, set[int]] = {}
    for row, each in enumerate(expected):
        for shingle in each:
            numbers.setdefault(shingle, set(found.of(row).tolist())).intersection_update(
                found.of(row).tolist()
            )
    assert all(numbers.values())


def test_words_are_told_apart_by_whitespace_of_every_kind_and_in_one_case() -> None:
    texts = ["One two three", "ONE\ttwo\nthree ", "\x1cone\x0btwo\u2003three", "ｏne two three"]
    values = word_numbers(texts, READING)
    assert values.counts.tolist() == [3, 3, 3, 3]
    assert len(np.unique(values.values)) == 3


def test_odd_texts_have_words_like_any_other() -> None:
    texts = ["", " \n ", "\0", "a\0b", "\ud800 lone", "\U0001f600", "e\u0301", "é"]
    values = word_numbers(texts, READING)
    assert values.counts.tolist() == [0, 0, 1, 1, 2, 1, 1, 1]
    assert values.of(6) == values.of(7)


def test_a_word_is_the_same_wherever_in_a_long_text_it_is() -> None:
    words = ["alpha", "beta", "gamma" * 9, "x", "longest" * 30_000]
    said = random.Random(1).choices(words[:4], k=100_000)
    said.insert(50_000, words[4])
    found = word_numbers(["one", " ".join(said)], READING)
    assert found.counts.tolist() == [1, len(said)]
    known = dict(zip(words, word_numbers([" ".join(words)], READING).values.tolist(), strict=True))
    assert found.of(1).tolist() == [known[word] for word in said]


def test_a_text_of_ten_megabytes_without_a_space_is_one_word() -> None:
    text = "x" * (10 * MEGABYTES)
    found = word_numbers([text, "y", text], READING)
    assert found.counts.tolist() == [1, 1, 1]
    assert found.of(0) == found.of(2) != found.of(1)


def test_batches_hold_every_text_in_order_and_a_few_megabytes_each() -> None:
    texts = [str(number) * 1_000 for number in range(5_000)] + ["big " * (5 * MEGABYTES), "last"]
    parts = list(batches(pl.Series([*texts, None])))
    assert [text for part in parts for text in part] == [*texts, ""]
    assert all(sum(map(len, part[:-1])) <= 8 * MEGABYTES for part in parts)
    assert list(batches(pl.Series([], dtype=pl.String))) == []


def test_the_numbers_of_words_and_shingles_are_those_of_this_version() -> None:
    """What is stored depends on them: values that differ need a new `VERSION`."""
    assert VERSION == 1
    assert word_numbers(["The 天"], READING).values.tolist() == GOLDEN_WORDS
    assert shingles(pl.Series(["the first three words", "Grüße Welt"])).values.tolist() == GOLDEN_SHINGLES


GOLDEN_WORDS = [15897697185886472592, 14362107839883669186]
GOLDEN_SHINGLES = [15516026923037788251, 7736568609464773066, 13968602624695282229, 4416335304318974029]
