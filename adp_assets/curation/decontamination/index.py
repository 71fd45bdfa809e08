"""The n-grams of evaluation items, and which of a text's are among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from adp_assets.curation.decontamination.evaluation import Item
from adp_assets.curation.decontamination.ngrams import READING, ngrams
from adp_assets.curation.likeness.per_text import Numbers, PerText, Places
from adp_assets.curation.likeness.words import batches, word_numbers

WORDS = 8
COMMON = 10
"""Rows of one file that an n-gram may be in; in more it is the set's own wording, not any item's."""
_SPARE_BITS = 5


class Hits(NamedTuple):
    """N-grams found, in order: in which text, at which word of them all, which one of the index."""

    texts: Places
    places: Places
    keys: Places

    def of(self, text: int, begin: int) -> Hits:
        """Those in one text, whose first word is at `begin`; their places are counted from there."""
        start, end = np.searchsorted(self.texts, [text, text + 1])
        return Hits(self.texts[start:end], self.places[start:end] - begin, self.keys[start:end])


class Held(NamedTuple):
    """Texts and items that have n-grams in common, ordered: the share of the item's that are in the text."""

    texts: Places
    items: Places
    coverage: NDArray[np.float64]


class Index:
    """The items' distinct 8-grams, those of common wording aside; an item of fewer words is one n-gram.

    Items of the same text are one, the first. `words` are the items'; `sizes` how many n-grams each has.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        first: dict[str, int] = {}
        numbers = np.array([first.setdefault(item.text, len(first)) for item in items], np.int64)
        self.items = [items[place] for place in np.unique(numbers, return_index=True)[1].tolist()]
        texts = pl.Series([item.text for item in self.items], dtype=pl.String)
        self.words = PerText.joined([word_numbers(batch, READING) for batch in batches(texts)])
        self.lengths = np.minimum(self.words.counts, WORDS)
        grams = _grams(self.words, self.lengths)
        kept = ~np.isin(grams.values, _common(items, numbers, grams))
        owners, values = grams.owners[kept], grams.values[kept]
        self.sizes: Places = np.bincount(owners, minlength=len(self.items))
        order = np.argsort(values, kind="stable")
        self.keys, begins = np.unique(values[order], return_index=True)
        self.owners = PerText(owners[order].astype(np.uint64), np.append(begins, len(order)).astype(np.int64))
        bits = min(26, max(16, len(self.keys).bit_length() + _SPARE_BITS))
        self._shift = np.uint64(64 - bits)
        self._may_be_known = np.zeros(1 << bits, np.bool_)
        self._may_be_known[self.keys >> self._shift] = True

    def hits(self, texts: PerText) -> Hits:
        """The n-grams of the texts that are the items'."""
        found = [self._hits(texts, int(length)) for length in np.unique(self.lengths[self.sizes > 0])]
        if not found:
            return Hits(*np.empty((3, 0), np.int64))
        together = [np.concatenate(each) for each in zip(*found, strict=True)]
        order = np.argsort(together[1], kind="stable")
        return Hits(*(each[order] for each in together))

    def held(self, hits: Hits) -> Held:
        """What of which item each text has."""
        texts, keys = _distinct(hits.texts, hits.keys)[:2]
        owners = self.owners.taken(keys)
        texts, items, counts = _distinct(np.repeat(texts, owners.counts), owners.values.astype(np.int64))
        return Held(texts, items, counts / self.sizes[items])

    def places(self, hits: Hits, item: int) -> Places:
        """Where in a text the n-grams of an item are, ascending, each place once."""
        own = [item in self.owners.of(key) for key in hits.keys.tolist()]
        return np.unique(hits.places[own])

    def _hits(self, texts: PerText, length: int) -> Hits:
        runs = ngrams(texts.values, length)
        places = np.flatnonzero(self._may_be_known[runs >> self._shift])
        keys = np.searchsorted(self.keys, runs[places]).clip(max=len(self.keys) - 1)
        known = self.keys[keys] == runs[places]
        places, keys = places[known], keys[known]
        owners = np.searchsorted(texts.offsets, places, "right") - 1
        inside = places + length <= texts.offsets[owners + 1]
        return Hits(owners[inside], places[inside], keys[inside])


def _distinct(ones: Places, others: Places) -> tuple[Places, Places, Places]:
    """The distinct pairs of two numbers, in order, and how many there are of each."""
    width = int(others.max(initial=0)) + 1
    pairs, counts = np.unique(ones * width + others, return_counts=True)
    return *np.divmod(pairs, width), counts


def _grams(words: PerText, lengths: Places) -> PerText:
    """The distinct n-grams of each item, of its own length of n-gram."""
    owners = words.owners
    values = np.zeros(len(words.values), np.uint64)
    kept = np.zeros(len(words.values), np.bool_)
    for length in range(1, WORDS + 1):
        runs = ngrams(words.values, length)
        own = owners[: len(runs)]
        wanted = (lengths[own] == length) & (np.arange(len(runs)) + length <= words.offsets[own + 1])
        values[: len(runs)][wanted] = runs[wanted]
        kept[: len(runs)] |= wanted
    return PerText.counted(values[kept], np.bincount(owners[kept], minlength=len(lengths))).once()


def _common(items: Sequence[Item], numbers: Places, grams: PerText) -> Numbers:
    """N-grams in more than `COMMON` rows of a file; copies of a file do not add up."""
    by_file: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        by_file.setdefault(item.file, []).append(place)
    common = [np.empty(0, np.uint64)]
    for places in by_file.values():
        rows = np.unique([items[place].place for place in places], return_inverse=True)[1]
        taken = grams.taken(numbers[places])
        counts = np.bincount(rows, weights=taken.counts).astype(np.int64)
        distinct, counts = np.unique(PerText.counted(taken.values, counts).once().values, return_counts=True)
        common.append(distinct[counts > COMMON])
    return np.concatenate(common)
