"""How like pairs of texts are: what the sets of their shingles share, counted for many pairs in one sort."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from adp_assets.curation.likeness.joined import Rows
from adp_assets.curation.likeness.per_text import Numbers, PerText

_VALUE_BITS = np.uint64(50)
"""Of a shingle's number that are compared, below those of whose it is: two sets of 1,000 shingles are taken
to share one that they do not share once in a thousand million pairs."""
_AT_ONCE = 1 << 21
"""Shingles that are sorted together."""


def likeness(pairs: Rows, shingles_of: Callable[[Rows], PerText]) -> NDArray[np.float64]:
    """The Jaccard similarity of each pair of rows, shape (pairs, 2), 8,192 at most; 0 without words."""
    rows, own = np.unique(pairs, return_inverse=True)
    sets = _sets(shingles_of(rows)) if len(rows) else PerText.joined([])
    own = own.reshape(-1, 2)
    sizes = sets.counts[own]
    shared = np.zeros(len(pairs), np.int64)
    for start, end in _parts(sizes.sum(axis=1)):
        shared[start:end] = _shared(own[start:end], sets)
    found: NDArray[np.float64] = shared / np.maximum(1, sizes.sum(axis=1) - shared)
    return found


def _sets(lists: PerText) -> PerText:
    """Each text's shingles once."""
    owners = lists.owners.astype(np.uint64)
    # Sorted here, as `np.unique` hashes, which takes six times as long.
    keys = np.sort(owners << _VALUE_BITS | lists.values >> (np.uint64(64) - _VALUE_BITS))
    keys = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]
    counts = np.bincount((keys >> _VALUE_BITS).astype(np.int64), minlength=len(lists.counts))
    return PerText.counted(keys, counts)


def _shared(own: NDArray[np.int64], sets: PerText) -> NDArray[np.int64]:
    """How many shingles each pair has in common: those that are there twice among the two of it."""
    taken = sets.taken(own.ravel())
    pairs = taken.owners.astype(np.uint64) >> np.uint64(1)
    values = taken.values & ((np.uint64(1) << _VALUE_BITS) - np.uint64(1))
    keys: Numbers = np.sort(pairs << _VALUE_BITS | values)
    twice = keys[1:][keys[1:] == keys[:-1]]
    return np.bincount((twice >> _VALUE_BITS).astype(np.int64), minlength=len(own))


def _parts(sizes: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Pairs, one after another, of about `_AT_ONCE` shingles in all; a pair of more on its own."""
    numbers = np.cumsum(sizes) // _AT_ONCE
    ends = [*(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(sizes)]
    yield from zip([0, *ends[:-1]], ends, strict=True)
