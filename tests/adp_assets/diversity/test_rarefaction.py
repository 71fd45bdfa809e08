"""Samples taken down to a smaller size: exact, so that they agree with trying every subsample."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from statistics import fmean

import pytest

from adp_assets.diversity.rarefaction import distinct_share, entropy

SAMPLE = "aaaabbbcd"


def repeats(sample: str) -> Counter[int]:
    return Counter(Counter(sample).values())


def test_entropy_is_in_bits() -> None:
    assert entropy([1, 1, 1, 1]) == 2.0
    assert entropy([5]) == entropy([]) == 0.0
    assert entropy([3, 0, 1]) == pytest.approx(0.8113, abs=1e-4)


@pytest.mark.parametrize("size", range(1, len(SAMPLE) + 1))
def test_a_smaller_sample_is_expected_to_show_what_its_subsamples_show_on_average(size: int) -> None:
    subsamples = list(combinations(SAMPLE, size))
    distinct = fmean(len(set(each)) / size for each in subsamples)
    bits = fmean(entropy(Counter(each).values()) for each in subsamples)
    assert distinct_share(repeats(SAMPLE), size) == pytest.approx(distinct)
    assert entropy(Counter(SAMPLE).values(), size) == pytest.approx(bits)


def test_the_same_variety_in_a_larger_sample_compares_as_equal() -> None:
    """Twenty times as many of the same: as they are, the larger looks worse; at one size, it does not."""
    small, large = repeats("abcdefghij"), repeats("abcdefghij" * 20)
    assert distinct_share(small, 10) == 1.0
    assert distinct_share(large, 200) == pytest.approx(0.05)
    assert distinct_share(large, 3) == pytest.approx(distinct_share(small, 3), rel=0.1)


def test_large_samples_are_no_matter() -> None:
    assert 0 < distinct_share({1: 200_000, 40: 5_000}, 10_000) < 1
    assert entropy([500] * 40, 1_000) == pytest.approx(5.3, abs=0.05)
