"""Numbers of many texts in two arrays, instead of an object a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Places = NDArray[np.int64]


class PerText(NamedTuple):
    """Those of text `i` are `values[offsets[i] : offsets[i + 1]]`; there is an offset more than texts."""

    values: Numbers
    offsets: Places

    @classmethod
    def counted(cls, values: Numbers, counts: Places) -> PerText:
        """Of so many numbers a text."""
        return cls(values, np.cumsum(np.append(0, counts)))

    @classmethod
    def joined(cls, parts: Sequence[PerText]) -> PerText:
        """The texts of all parts, one after another."""
        values = [np.empty(0, np.uint64), *(part.values for part in parts)]
        counts = [np.empty(0, np.int64), *(part.counts for part in parts)]
        return cls.counted(np.concatenate(values), np.concatenate(counts))

    @property
    def counts(self) -> Places:
        return np.diff(self.offsets)

    @property
    def owners(self) -> Places:
        """For each number the text it is of."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.counts)

    def taken(self, texts: Places) -> PerText:
        """These texts, in this order, which may repeat."""
        counts = self.counts[texts]
        places = np.repeat(self.offsets[texts] - (np.cumsum(counts) - counts), counts)
        return self.counted(self.values[places + np.arange(len(places))], counts)

    def once(self) -> PerText:
        """Each text's distinct numbers, ascending."""
        owners = self.owners
        order = np.lexsort((self.values, owners))
        values, owners = self.values[order], owners[order]
        first = np.ones(len(values), np.bool_)
        first[1:] = (values[1:] != values[:-1]) | (owners[1:] != owners[:-1])
        return self.counted(values[first], np.bincount(owners[first], minlength=len(self.offsets) - 1))

    def of(self, text: int) -> Numbers:
        return self.values[self.offsets[text] : self.offsets[text + 1]]
