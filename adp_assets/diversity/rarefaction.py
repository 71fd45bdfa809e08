"""What a sample would have shown had it been smaller, so that rounds of different size can be compared.

A round of a thousand tasks repeats more words and names more domains than one of fifty, however varied both
are. Ecology compares samples of different size at the size of the smaller: Hurlbert, "The nonconcept of
species diversity", Ecology 52 (1971). Both expectations are exact, over all subsamples without replacement.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping


def distinct_share(repeats: Mapping[int, int], size: int) -> float:
    """The share of distinct ones expected in a sample of `size`, from 0 to 1.

    `repeats` says how many there are that occur once, twice and so on; `size` is at most their whole number.
    """
    whole = sum(times * count for times, count in repeats.items())
    missed = sum(count * math.exp(_log_none(whole, times, size)) for times, count in repeats.items())
    return (sum(repeats.values()) - missed) / size if size else 0.0


def entropy(counts: Iterable[int], size: int | None = None) -> float:
    """Shannon's entropy in bits, of all or, with `size`, as expected of a sample of so many of them."""
    present = [count for count in counts if count]
    whole = sum(present)
    if size is None or size >= whole:
        return math.fsum(_bits(count / whole) for count in present)
    return math.fsum(
        math.exp(_log_exactly(whole, count, size, drawn)) * _bits(drawn / size)
        for count in present
        for drawn in range(max(1, size - (whole - count)), min(count, size) + 1)
    )


def _bits(share: float) -> float:
    return -share * math.log2(share)


def _log_none(whole: int, count: int, size: int) -> float:
    """The logarithm of the chance that a sample has none of `count`."""
    if size > whole - count:
        return -math.inf
    return _log_choose(whole - count, size) - _log_choose(whole, size)


def _log_exactly(whole: int, count: int, size: int, drawn: int) -> float:
    """The logarithm of the chance that a sample has exactly so many of `count`: hypergeometric."""
    among = _log_choose(count, drawn) + _log_choose(whole - count, size - drawn)
    return among - _log_choose(whole, size)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
