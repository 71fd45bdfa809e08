"""Texts held against evaluation sets: which of them hold how much of an item, and where.

An item's n-grams are its distinct 8-grams over NFKC, lower case, no punctuation, those aside that more than
10 rows of its file have; an item of fewer than 8 words is looked for whole. A text is flagged that has more
than 20 % of them, where nothing else is asked for. How much of its 13-grams the text has is told, too: chance
hardly ever makes one of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl

from adp_assets.curation.decontamination.evaluation import EvaluationSet
from adp_assets.curation.decontamination.evidence import Written, cut, longest_run
from adp_assets.curation.decontamination.index import Hits, Index
from adp_assets.curation.decontamination.ngrams import READING, ngrams
from adp_assets.curation.likeness.per_text import Numbers
from adp_assets.curation.likeness.words import batches, word_numbers

FLAGGED_ABOVE = 0.2
LONG = 13
COLUMNS: dict[str, Any] = {
    "file": pl.String(),
    "place": pl.Int64(),
    "field": pl.String(),
    "coverage": pl.Float64(),
    "coverage_13": pl.Float64(),
    "evidence": pl.String(),
    "item": pl.String(),
}


class Scanner:
    """Holds texts against the items of evaluation sets, whose index is built once.

    `flagged_above` is the share of an item's n-grams that a text must have more than.
    """

    def __init__(self, evaluation: EvaluationSet, *, flagged_above: float = FLAGGED_ABOVE) -> None:
        self._index = Index(evaluation.items)
        self._flagged_above = flagged_above

    @property
    def unrecognisable(self) -> int:
        """Items of nothing but wording that their whole set shares, by which no text can be flagged."""
        return int((self._index.sizes == 0).sum())

    def scan(self, ids: pl.Series, texts: pl.Series) -> pl.DataFrame:
        """A row a text and item that it holds, in the texts' order: `id` as in `ids`, and `COLUMNS`.

        `coverage` and `coverage_13` are shares of the item's 8-grams and 13-grams, the latter null for an
        item of fewer than 13 words; `evidence` is the longest passage of the text that is in the item, `item`
        the item's beginning, each of at most 200 characters. A null text holds nothing.
        """
        rows: list[dict[str, Any]] = []
        numbers: list[int] = []
        start = 0
        for batch in batches(texts):
            words = word_numbers(batch, READING)
            hits = self._index.hits(words)
            held = self._index.held(hits)
            flagged = np.flatnonzero(held.coverage > self._flagged_above)
            for text in np.unique(held.texts[flagged]).tolist():
                some = flagged[held.texts[flagged] == text]
                items = zip(held.items[some].tolist(), held.coverage[some].tolist(), strict=True)
                own = hits.of(text, int(words.offsets[text]))
                rows += self._rows(batch[text], words.of(text), own, items)
                numbers += [start + text] * len(some)
            start += len(batch)
        found = pl.DataFrame(rows, schema=COLUMNS)
        return found.insert_column(0, ids.gather(numbers).alias("id"))

    def _rows(
        self, text: str, words: Numbers, hits: Hits, items: Iterable[tuple[int, float]]
    ) -> Iterator[dict[str, Any]]:
        index = self._index
        written, long = Written(text), ngrams(words, LONG)
        for number, coverage in items:
            item = index.items[number]
            first, last = longest_run(index.places(hits, number))
            yield {
                "file": item.file,
                "place": item.place,
                "field": item.field,
                "coverage": coverage,
                "coverage_13": _share(np.unique(ngrams(index.words.of(number), LONG)), long),
                "evidence": written.passage(first, last + int(index.lengths[number]) - 1),
                "item": cut(item.text),
            }


def _share(wanted: Numbers, there: Numbers) -> float | None:
    """Of distinct n-grams, those that are there; null for none."""
    return float(np.isin(wanted, there).mean()) if len(wanted) else None
