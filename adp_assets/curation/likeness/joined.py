"""Rows joined into clusters, each known by the lowest row of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


class Clusters:
    """At first every row is a cluster of its own; `labels` has the lowest row of each row's cluster."""

    def __init__(self, rows: int) -> None:
        self.labels: Rows = np.arange(rows, dtype=np.int64)

    def apart(self, pairs: Rows) -> Rows:
        """Those of the pairs, shape (pairs, 2), that are not in the same cluster yet."""
        ends = self.labels[pairs]
        kept: Rows = pairs[ends[:, 0] != ends[:, 1]]
        return kept

    def join(self, pairs: Rows) -> None:
        """Make one cluster of the two of each pair."""
        labels = self.labels
        for pair in pairs.tolist():
            low, high = sorted(self._lowest(row) for row in pair)
            labels[high] = low
        while not np.array_equal(shorter := labels[labels], labels):
            labels = shorter
        self.labels = labels

    def _lowest(self, row: int) -> int:
        labels = self.labels
        while (above := int(labels[row])) != row:
            labels[row] = labels[above]
            row = above
        return row
