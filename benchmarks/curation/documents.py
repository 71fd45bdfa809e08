"""Documents to curate: drawn word by word, and near copies of some of them with a few words edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

VOCABULARY = 30_000
EXPONENT = 1.05
"""Of the Zipf distribution that words are drawn from."""
LENGTHS = (140, 260)
"""Words a document, drawn evenly."""
COPIES = 0.2
"""Share of documents that are copies of one of the others, which has no second copy."""
MOST_EDITS = 0.12
"""Of a copy's words between none and this share are replaced, left out, or have another put before them."""

Words = NDArray[np.int64]


@dataclass(frozen=True)
class Corpus:
    """Documents in no order, and pairs of rows, the lower first: `pairs[i]` are `likeness[i]` like."""

    texts: pl.Series
    pairs: NDArray[np.int64]
    likeness: NDArray[np.float64]


def vocabulary(rng: np.random.Generator) -> NDArray[np.str_]:
    """Words of 3 to 9 letters."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return np.array(["".join(rng.choice(letters, rng.integers(3, 10))) for _ in range(VOCABULARY)])


def drawn(count: int, rng: np.random.Generator, lengths: tuple[int, int] = LENGTHS) -> list[Words]:
    """`count` documents as numbers of words."""
    chances = 1 / np.arange(1, VOCABULARY + 1) ** EXPONENT
    sizes = rng.integers(*lengths, size=count)
    words = rng.choice(VOCABULARY, size=sizes.sum(), p=chances / chances.sum())
    return np.split(words, np.cumsum(sizes)[:-1])


def corpus(count: int, seed: int = 7) -> Corpus:
    """`count` documents, a fifth of them copies, and how like each copy is to what it was made from."""
    rng = np.random.default_rng(seed)
    known = vocabulary(rng)
    copies = int(count * COPIES)
    documents = drawn(count - copies, rng)
    sources = rng.choice(count - copies, size=copies, replace=False)
    documents += [edited(documents[source], rng.uniform(0, MOST_EDITS), rng) for source in sources]
    order = rng.permutation(count)
    rows = np.argsort(order)
    texts = pl.Series("text", [" ".join(known[documents[number]]) for number in order])
    pairs = np.sort(np.column_stack((rows[sources], rows[count - copies :])), axis=1)
    likeness = np.array([jaccard(texts[int(one)], texts[int(other)]) for one, other in pairs])
    return Corpus(texts, pairs, likeness)


def twins(count: int, seed: int = 8) -> pl.Series:
    """One document and copies of it with up to 2 % of the words edited, all near copies of each other."""
    rng = np.random.default_rng(seed)
    known = vocabulary(rng)
    (first,) = drawn(1, rng)
    return pl.Series([" ".join(known[edited(first, rng.uniform(0, 0.02), rng)]) for _ in range(count)])


def edited(words: Words, share: float, rng: np.random.Generator) -> Words:
    """The words with so many of them, in a third of the cases each, replaced, left out or preceded by one."""
    changed = words.tolist()
    places = rng.choice(len(words), size=int(share * len(words)), replace=False)
    for place in sorted(places.tolist(), reverse=True):
        end = place + (rng.integers(3) != 2)
        new: Sequence[int] = [] if end > place and rng.integers(2) else [int(rng.integers(VOCABULARY))]
        changed[place:end] = new
    return np.array(changed)


def jaccard(one: str, other: str) -> float:
    """Shared word 3-grams over all: what the platform's own code must agree with."""
    mine, theirs = grams(one), grams(other)
    return len(mine & theirs) / len(mine | theirs)


def grams(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return set(zip(words, words[1:], words[2:], strict=False))
