"""Clusters of near copies: candidates by shared bands, decided by the exact likeness of their shingles.

A bucket is the rows with the same value in the same band. Comparing all of its rows with each other would
take 12.5 million comparisons for 5,000 copies of one text, so each is compared with the lowest row alone;
those that turn out not to be of its cluster are a bucket of their own, and so on for a few turns. In small
buckets what is still apart then is compared with each other, as A may be like C through B alone.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
import polars as pl
from numpy.typing import NDArray

from adp_assets.curation.likeness.joined import Clusters, Rows
from adp_assets.curation.likeness.minhash import BANDS, ROWS, WITHOUT_WORDS, band_hashes
from adp_assets.curation.likeness.overlap import likeness
from adp_assets.curation.likeness.per_text import Numbers, PerText
from adp_assets.curation.likeness.shingles import shingles

THRESHOLD = 0.8
"""Jaccard similarity of word 3-grams from which two texts count as copies of one another."""
TURNS = 3
SMALL = 16
"""Rows of a bucket that are all compared with each other at last."""
PAIRS = 4_096
"""Compared at once: at most twice as many rows are asked for in one call."""
MISSED = 1e-4
"""How often two texts just as like as the threshold may share too few bands to be compared."""


def near_duplicates(texts: pl.Series, threshold: float = THRESHOLD) -> Rows:
    """`near_clusters` of texts that are all at hand."""
    return near_clusters(band_hashes(texts), lambda rows: shingles(texts.gather(rows)), threshold)


def near_clusters(
    bands: Numbers, shingles_of: Callable[[Rows], PerText], threshold: float = THRESHOLD
) -> Rows:
    """For each row the lowest row of its cluster: rows joined by pairs of at least this Jaccard similarity.

    `bands` are the rows' `band_hashes`, shape (rows, 32), of any number of rounds one after another;
    `shingles_of` gives the `shingles` of rows. It is asked for those alone that share bands with another, in
    ascending order, at most 8,192 at once; for a row more than once where it is compared with several. Texts
    without words are each a cluster of their own. The same rows in the same order have the same clusters.
    """
    clusters = Clusters(len(bands))
    waiting = bands != WITHOUT_WORDS
    enough = _enough(threshold)
    for _ in range(TURNS):
        lowest = _lowest(bands, waiting)
        _join(clusters, _sharing(_pairs(lowest), bands, enough), shingles_of, threshold)
        waiting = clusters.labels[lowest] != clusters.labels[:, np.newaxis]
        if not waiting.any():
            break
    _join(clusters, _sharing(_left_apart(bands, clusters), bands, enough), shingles_of, threshold)
    return clusters.labels


def _join(clusters: Clusters, pairs: Rows, shingles_of: Callable[[Rows], PerText], threshold: float) -> None:
    """Make one cluster of the two of each pair that are like enough."""
    for start in range(0, len(pairs), PAIRS):
        part = clusters.apart(pairs[start : start + PAIRS])
        clusters.join(part[likeness(part, shingles_of) >= threshold])


def _enough(threshold: float) -> int:
    """The bands to share that pairs of this similarity miss no more often than `MISSED`; at least 1."""
    chance = threshold**ROWS
    fewer = 0.0
    for shared in range(BANDS + 1):
        fewer += comb(BANDS, shared) * chance**shared * (1 - chance) ** (BANDS - shared)
        if fewer > MISSED:
            return max(1, shared)
    return BANDS


def _lowest(bands: Numbers, waiting: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Shape (rows, bands): the lowest row that waits in the same bucket; itself where none is lower."""
    lowest = np.empty(bands.shape, np.int32)
    lowest[:] = np.arange(len(bands), dtype=np.int32)[:, np.newaxis]
    for band in range(bands.shape[1]):
        rows = np.flatnonzero(waiting[:, band])
        values = bands[rows, band]
        order = np.argsort(values, kind="stable")
        rows, values = rows[order], values[order]
        first = np.flatnonzero(np.append(True, values[1:] != values[:-1])) if len(rows) else rows
        lowest[rows, band] = np.repeat(rows[first], np.diff(np.append(first, len(rows))))
    return lowest


def _pairs(lowest: NDArray[np.int32]) -> Rows:
    """Each row with the lowest of its buckets, each pair once, ordered by the lower row."""
    rows, bands = np.nonzero(lowest != np.arange(len(lowest), dtype=np.int32)[:, np.newaxis])
    encoded = np.unique(lowest[rows, bands].astype(np.int64) * len(lowest) + rows)
    return np.column_stack(np.divmod(encoded, max(1, len(lowest))))


def _left_apart(bands: Numbers, clusters: Clusters) -> Rows:
    """The pairs of different clusters in buckets of at most `SMALL` rows, ordered by the lower row."""
    found = []
    for band in bands.T:
        rows = np.flatnonzero(band != WITHOUT_WORDS)
        order = rows[np.argsort(band[rows], kind="stable")]
        values = band[order]
        starts = np.flatnonzero(np.append(True, values[1:] != values[:-1])) if len(order) else order
        sizes = np.diff(np.append(starts, len(order)))
        order = order[np.repeat((sizes > 1) & (sizes <= SMALL), sizes)]
        values = band[order]
        for apart in range(1, SMALL):
            same = np.flatnonzero(values[apart:] == values[:-apart])
            if not len(same):
                break
            found.append(np.column_stack((order[same], order[same + apart])))
    if not found:
        return np.empty((0, 2), np.int64)
    pairs = clusters.apart(np.concatenate(found))
    encoded = np.unique(pairs.min(axis=1) * len(bands) + pairs.max(axis=1))
    return np.column_stack(np.divmod(encoded, max(1, len(bands))))


def _sharing(pairs: Rows, bands: Numbers, enough: int) -> Rows:
    """The pairs that have at least so many bands in common."""
    kept = [
        part[(bands[part[:, 0]] == bands[part[:, 1]]).sum(axis=1) >= enough]
        for part in np.array_split(pairs, len(pairs) // PAIRS + 1)
    ]
    return np.concatenate(kept)
