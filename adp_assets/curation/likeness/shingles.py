"""Word 3-grams of many texts: the same as those of a task's description, as numbers that can be kept."""

from __future__ import annotations

import numpy as np
import polars as pl

from adp_assets.curation.likeness.per_text import PerText
from adp_assets.curation.likeness.words import Reading, batches, constants, mixed, word_numbers
from adp_assets.mutation.novelty.shingles import words

WORDS = 3
READING = Reading(spelled=lambda texts: [" ".join(words(text)) for text in texts])


def shingles(texts: pl.Series) -> PerText:
    """The word 3-grams of each text, in its order and with repeats; of fewer words than three, these."""
    return PerText.joined([shingles_of(batch) for batch in batches(texts)])


def shingles_of(texts: list[str]) -> PerText:
    """`shingles` of one batch."""
    own, offsets = word_numbers(texts, READING)
    counts = np.diff(offsets)
    short, long = counts < WORDS, counts >= WORDS
    values = np.zeros_like(own)
    first, second, third = constants(WORDS, seed=WORDS)
    values[:-2] = mixed(own[:-2] * first ^ own[1:-1] * second ^ own[2:] * third)
    alone = np.repeat(short, counts)
    values[alone] = mixed(own[alone] * first)
    kept = np.ones(len(own), np.bool_)
    kept[offsets[1:][long] - 1] = False
    kept[offsets[1:][long] - 2] = False
    sizes = np.where(long, counts - (WORDS - 1), counts)
    return PerText.counted(values[kept], sizes)
