"""What likeness is measured by: the word 3-grams of a description, in words and as hashes that can be kept.

The hashes are of a fixed algorithm, XXH3, so that those in the database mean the same in every process and
version of Python. A change to either function needs a new `VERSION`; what has an older one is made anew.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
"""Of one description: in ascending order, each once."""

VERSION = 1
NEAR_COPY = 0.7
"""Jaccard similarity of word 3-grams from which two descriptions count as copies of one another."""

_STORED = np.dtype("<u8")
_UNSPACED = re.compile(r"[^\u0000-\u2e7f]")


def words(text: str) -> list[str]:
    """A text's words, in one case; where a language writes no spaces, a character counts as a word."""
    found: list[str] = []
    for word in unicodedata.normalize("NFKC", text).casefold().split():
        found.extend(word if _UNSPACED.search(word) else (word,))
    return found


def shingles(text: str) -> frozenset[str]:
    """The word 3-grams of a text; of fewer words than three, these."""
    said = words(text)
    if len(said) < 3:
        return frozenset(said)
    return frozenset(map(" ".join, zip(said, said[1:], said[2:], strict=False)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared over all; 0 for two empty sets."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def hashes(text: str) -> Hashes:
    """The shingles of a text as 64-bit hashes."""
    from xxhash import xxh3_64_intdigest

    found = [xxh3_64_intdigest(shingle.encode("utf-8", "surrogatepass")) for shingle in shingles(text)]
    return np.unique(np.array(found, dtype=np.uint64))


def packed(own: Hashes) -> bytes:
    """Hashes as the pool keeps them: 8 bytes each, little-endian, after 8 bytes of the version."""
    return np.concatenate((np.array([VERSION], _STORED), own.astype(_STORED))).tobytes()


def is_current(blob: bytes | None) -> bool:
    """Whether what the pool keeps is of this version."""
    return blob is not None and blob[:8] == packed(np.empty(0, np.uint64))


def unpacked(blob: bytes) -> Hashes:
    """What `packed` was given."""
    return np.frombuffer(blob, _STORED, offset=8).astype(np.uint64)
