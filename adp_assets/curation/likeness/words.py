"""The words of many texts at once, each as a 64-bit number, computed over their bytes in numpy.

Bands of these numbers are stored and compared with those of other rounds, machines and versions, so that the
arithmetic is written out here and never changes without a new `VERSION`: a word is a polynomial in a fixed
odd base, modulo 2^64, whose coefficients are a fixed number a byte, finished by splitmix64. All words of a
batch cost one running sum; a dictionary of the distinct ones, hashed by a library, would cost several times
as much.
What counts as a word is a `Reading`'s matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from adp_assets.curation.likeness.per_text import Numbers, PerText, Places

VERSION = 1
"""Of every stored value that comes from these words."""

BATCH = 8 << 20
"""Bytes of text that are worked on at once; a longer text is worked on alone."""
_BLOCK = 1 << 17
_MODULUS = 1 << 64
_BASE = 0x9E3779B97F4A7C15
_WHITESPACE = b"\t\n\v\f\r\x1c\x1d\x1e\x1f "


@dataclass(frozen=True)
class Reading:
    """What a word is: in ASCII a run of what is no separator, in either case.

    Texts with other characters are rewritten by `spelled`: in lower case and with separators between their
    words, as all bytes beyond ASCII are taken for parts of words.
    """

    spelled: Callable[[list[str]], list[str]]
    separators: bytes = _WHITESPACE


def batches(texts: pl.Series) -> Iterator[list[str]]:
    """The texts in order, some at a time, about `BATCH` bytes; none for null."""
    sizes = texts.str.len_bytes().fill_null(0).to_numpy().astype(np.int64) + 64
    numbers = (np.cumsum(sizes) - sizes) // BATCH
    ends = np.flatnonzero(np.diff(numbers, append=-1)) + 1
    start = 0
    for end in ends.tolist():
        yield texts[start:end].fill_null("").to_list()
        start = end


def word_numbers(texts: Sequence[str], reading: Reading) -> PerText:
    """The words of each text, in order, with repeats."""
    encoded = _encoded(texts, reading)
    content = np.frombuffer(b" ".join(encoded), np.uint8)
    within = np.ones(256, np.bool_)
    within[np.frombuffer(reading.separators, np.uint8)] = False
    inside = np.zeros(len(content) + 2, np.int8)
    inside[1:-1] = within[content]
    edges = np.flatnonzero(np.diff(inside))
    begins = np.cumsum([0, *(len(each) + 1 for each in encoded)])
    return PerText(_hashed(content, edges), np.searchsorted(edges[0::2], begins).astype(np.int64))


def mixed(numbers: Numbers) -> Numbers:
    """splitmix64's last step: every bit of the result depends on every bit of the number."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def constants(count: int, seed: int) -> Numbers:
    """The first `count` numbers of splitmix64 from this seed."""
    return mixed(np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_BASE))


def _encoded(texts: Sequence[str], reading: Reading) -> list[bytes]:
    rewritten = iter(reading.spelled([text for text in texts if not text.isascii()]))
    return [(text if text.isascii() else next(rewritten)).encode("utf-8", "surrogatepass") for text in texts]


def _hashed(content: NDArray[np.uint8], edges: Places) -> Numbers:
    """The words whose beginnings and ends take turns in `edges`, from the polynomials of all before each."""
    powers, inverses = _powers(_BASE, _BLOCK), _powers(pow(_BASE, -1, _MODULUS), _BLOCK)
    count = len(content) // _BLOCK + 1
    strides = _powers(pow(_BASE, _BLOCK, _MODULUS), count)
    before = np.empty(len(edges), np.uint64)
    carried = np.zeros(1, np.uint64)
    sums = np.zeros(_BLOCK + 1, np.uint64)
    bounds = np.searchsorted(edges, np.arange(count + 1) * _BLOCK)
    for number in range(count):
        start = number * _BLOCK
        part = content[start : start + _BLOCK]
        np.cumsum(_coefficients()[part] * powers[: len(part)], out=sums[1 : len(part) + 1])
        some = slice(bounds[number], bounds[number + 1])
        stride = strides[number : number + 1]
        before[some] = carried + stride * sums[edges[some] - start]
        carried = carried + stride * sums[len(part)]
    blocks, places = np.divmod(edges[0::2], _BLOCK)
    back = _powers(pow(_BASE, -_BLOCK, _MODULUS), count)[blocks] * inverses[places]
    return mixed((before[1::2] - before[0::2]) * back)


@cache
def _coefficients() -> Numbers:
    """A number a byte, the same for a letter's two cases."""
    numbers = constants(256, seed=VERSION)
    numbers[ord("A") : ord("Z") + 1] = numbers[ord("a") : ord("z") + 1]
    return numbers


@lru_cache(maxsize=16)
def _powers(base: int, count: int) -> Numbers:
    """A number to the power of 0, 1, 2 and so on."""
    numbers = np.full(count, base, np.uint64)
    numbers[0] = 1
    return np.multiply.accumulate(numbers)
