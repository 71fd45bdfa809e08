"""What this process has counted of itself, for whoever exports it. Counting happens where things happen."""

from __future__ import annotations

from collections import Counter

CACHE_HITS: Counter[str] = Counter()
"""Found in a cache, by cache type: `response` or `template`."""

CACHE_MISSES: Counter[str] = Counter()
"""Not found, or not usable, by the same types."""


def count_lookup(cache_type: str, hit: bool) -> None:
    """Count one look into a cache."""
    (CACHE_HITS if hit else CACHE_MISSES)[cache_type] += 1
