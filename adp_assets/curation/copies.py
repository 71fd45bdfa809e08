"""Which rows are near copies of one another, by what their agents thought, said and called."""

from __future__ import annotations

from functools import partial

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from adp_assets.curation.likeness.clusters import near_clusters
from adp_assets.curation.likeness.minhash import BANDS, WITHOUT_WORDS
from adp_assets.curation.likeness.per_text import PerText
from adp_assets.curation.likeness.shingles import shingles
from adp_assets.curation.store import RowStore
from adp_assets.curation.traits import said_in
from runtimes.contracts import Message


class _Described(msgspec.Struct):
    description: str


def clusters_of(store: RowStore, rows: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """The `cluster` of each row's `place`: the place of the first row, in their order, of its near copies.

    The first rows of clusters are no near copies of one another: where one joined by a third, which is none
    of theirs, had kept two apart, they are found when that one is gone.
    """
    places = rows["place"]
    bands = _bands(store, places)
    kept = _Kept(store, places, _sharing(bands))
    clusters = first = np.arange(places.len())
    while True:
        labels = first[near_clusters(bands[first], partial(kept.of_some, first), threshold)]
        if (labels == first).all():
            return pl.DataFrame({"place": places, "cluster": places.gather(clusters)})
        moved = np.arange(places.len())
        moved[first] = labels
        clusters = moved[clusters]
        first = np.unique(labels)


class _Kept:
    """The shingles of rows that may be asked for, made in one go over the store: 8 bytes each."""

    def __init__(self, store: RowStore, places: pl.Series, numbers: NDArray[np.int64]) -> None:
        wanted = pl.DataFrame({"place": places.gather(numbers), "number": numbers})
        order, parts = [np.empty(0, np.int64)], []
        for batch in store.batches(["task", "messages"], wanted):
            order.append(batch["number"].to_numpy())
            parts.append(shingles(_said(batch)))
        self._shingles = PerText.joined(parts)
        self._at = np.zeros(places.len(), np.int64)
        self._at[np.concatenate(order)] = np.arange(numbers.size)

    def of_some(self, some: NDArray[np.int64], numbers: NDArray[np.int64]) -> PerText:
        """The shingles of these of some rows, in their order."""
        return self._shingles.taken(self._at[some[numbers]])


def _bands(store: RowStore, places: pl.Series) -> NDArray[np.uint64]:
    """The bands of these rows, in their order."""
    wanted = pl.DataFrame({"place": places, "number": np.arange(places.len())})
    bands = np.zeros((places.len(), BANDS), np.uint64)
    for batch in store.batches(["bands"], wanted):
        bands[batch["number"].to_numpy()] = batch["bands"].to_numpy()
    return bands


def _sharing(bands: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The rows that have a band in common with another."""
    found = np.zeros(len(bands), np.bool_)
    for band in bands.T:
        order = np.argsort(band, kind="stable")
        values = band[order]
        same = (values[1:] == values[:-1]) & (values[1:] != WITHOUT_WORDS)
        found[order[1:][same]] = True
        found[order[:-1][same]] = True
    return np.flatnonzero(found)


def _said(rows: pl.DataFrame) -> pl.Series:
    described, conversation = msgspec.json.Decoder(_Described), msgspec.json.Decoder(list[Message])
    said = [
        said_in(described.decode(task).description, conversation.decode(messages))
        for task, messages in rows.select("task", "messages").iter_rows()
    ]
    return pl.Series(said, dtype=pl.String)
