"""Runs of words as contamination is told by: NFKC, lower case, no punctuation, a number a run.

None of these numbers is stored; that they never change is the words' own promise all the same.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from adp_assets.curation.likeness.per_text import Numbers
from adp_assets.curation.likeness.words import Reading, mixed

LETTERS_AND_DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FACTOR = np.uint64(0xD6E8FEB86659FD93)


def _spelled(texts: list[str]) -> list[str]:
    plain = pl.Series(texts, dtype=pl.String).str.normalize("NFKC").str.to_lowercase()
    plain = plain.str.replace_all(r"[^\p{L}\p{M}\p{N}]+", " ")
    return plain.str.replace_all(r"([\x{2E80}-\x{10FFFF}])", " $1 ").to_list()


READING = Reading(_spelled, separators=bytes(set(range(128)) - set(LETTERS_AND_DIGITS)))
"""As for near copies, a character counts as a word where a language writes no spaces."""


def ngrams(words: Numbers, count: int) -> Numbers:
    """The run of `count` words from each word on that has as many after it, whatever text they are of."""
    runs = words[: max(0, len(words) - count + 1)].copy()
    for place in range(1, count):
        runs *= _FACTOR
        runs += words[place : place + len(runs)]
    return mixed(runs + np.uint64(count))
