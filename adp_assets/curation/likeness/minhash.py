"""MinHash bands: 32 numbers a text, of which near copies share some and others hardly ever do.

Each band is four minima, so that two texts of Jaccard similarity j share a band with a chance of j^4, and at
least one of 32 with 0.9999999 at j = 0.8, 0.9998 at 0.7 and 0.87 at 0.5.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from adp_assets.curation.likeness.per_text import Numbers, PerText
from adp_assets.curation.likeness.shingles import shingles_of
from adp_assets.curation.likeness.words import batches, constants, mixed

BANDS = 32
ROWS = 4
WITHOUT_WORDS = 0
"""Every band of a text that has no word; a text with words has it in none."""
_AT_ONCE = 1 << 15
"""Shingles whose permutations are taken together: they and their products stay in the cache."""


def band_hashes(texts: pl.Series) -> Numbers:
    """Shape (texts, 32): what to keep of each text, the same for equal words in every round and version."""
    parts = [_bands_of(shingles_of(batch)) for batch in batches(texts)]
    return np.concatenate(parts) if parts else np.empty((0, BANDS), np.uint64)


def _bands_of(own: PerText) -> Numbers:
    """The rows of each band in one number, told apart by band."""
    minima = _minima(own)
    bands = np.broadcast_to(constants(BANDS, seed=BANDS), minima.shape[:2])
    for row in range(0, ROWS, 2):
        bands = mixed(bands ^ (minima[:, :, row] << np.uint64(32) | minima[:, :, row + 1]))
    bands = np.maximum(bands, np.uint64(WITHOUT_WORDS + 1))
    bands[own.counts == 0] = WITHOUT_WORDS
    return bands


def _minima(own: PerText) -> Numbers:
    """Shape (texts, bands, rows): the least of each permutation; 0 where a text has no words."""
    found = np.zeros((BANDS * ROWS, len(own.offsets) - 1), np.uint32)
    values = (own.values >> np.uint64(32)).astype(np.uint32)
    factors, summands = constants(2 * BANDS * ROWS, seed=ROWS).reshape(2, -1).astype(np.uint32)
    factors |= np.uint32(1)
    filled = np.flatnonzero(own.counts)
    begins = own.offsets[filled]
    first = 0
    while first < len(filled):
        start = begins[first]
        after = max(first + 1, int(np.searchsorted(begins, start + _AT_ONCE, "right")) - 1)
        end = own.offsets[filled[after - 1] + 1]
        some, product = values[start:end], np.empty(end - start, np.uint32)
        places = begins[first:after] - start
        for number in range(BANDS * ROWS):
            np.multiply(some, factors[number], out=product)
            product += summands[number]
            found[number, filled[first:after]] = np.minimum.reduceat(product, places)
        first = after
    return found.T.reshape(-1, BANDS, ROWS).astype(np.uint64)
