"""Which of a round's descriptions are near copies, and how far the made ones are from the seeds.

Likeness is the Jaccard similarity of word 3-grams, as the novelty gate measures it against the whole pool;
here it is within one round, exact, and not by comparing each with each.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain

from adp_assets.mutation.novelty.shingles import NEAR_COPY, jaccard

Shingles = frozenset[str]
ROUNDING = 1e-9


def near_copies(texts: Sequence[Shingles], at_least: float = NEAR_COPY) -> int:
    """How many of the texts are near copies of one before them.

    By prefix filtering (Bayardo, Ma and Srikant, "Scaling up all pairs similarity search", 2007): two sets so
    alike share one of the few rarest members of each, so only those that do are compared.
    """
    frequency = Counter(chain.from_iterable(texts))
    holders: defaultdict[str, list[int]] = defaultdict(list)
    copies = 0
    for place, text in enumerate(texts):
        rarest_first = sorted(text, key=lambda shingle: (frequency[shingle], shingle))
        shared_at_least = math.ceil(at_least * len(text) - ROUNDING)
        prefix = rarest_first[: len(text) - shared_at_least + 1]
        others = dict.fromkeys(chain.from_iterable(holders[shingle] for shingle in prefix))
        copies += any(jaccard(text, texts[other]) >= at_least for other in others)
        for shingle in prefix:
            holders[shingle].append(place)
    return copies


def distance(texts: Sequence[Shingles], seeds: Sequence[Shingles]) -> float | None:
    """The mean, over the texts, of one less the likeness to the nearest seed; None without either."""
    if not texts or not seeds:
        return None
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for place, seed in enumerate(seeds):
        for shingle in seed:
            holders[shingle].append(place)
    nearest = []
    for text in texts:
        shared = Counter(chain.from_iterable(holders[shingle] for shingle in text if shingle in holders))
        likeness = (count / (len(text) + len(seeds[seed]) - count) for seed, count in shared.items())
        nearest.append(max(likeness, default=0.0))
    return 1 - math.fsum(nearest) / len(nearest)
