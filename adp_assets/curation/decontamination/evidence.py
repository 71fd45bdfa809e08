"""What a person judges a hit by: the passage of the text, as it is written there."""

from __future__ import annotations

import re

import numpy as np

from adp_assets.curation.decontamination.ngrams import READING
from adp_assets.curation.likeness.per_text import Places
from adp_assets.curation.likeness.words import word_numbers

LENGTH = 200
"""Characters of evidence, from its beginning."""
_PIECE = re.compile(r"[\u2e80-\U0010ffff]|[^\s\u2e80-\U0010ffff]+")


def longest_run(places: Places) -> tuple[int, int]:
    """The first and the last of the most places that follow each other; ascending places, at least one."""
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    begins, ends = np.append(0, breaks), np.append(breaks, len(places))
    longest = int(np.argmax(ends - begins))
    return int(places[begins[longest]]), int(places[ends[longest] - 1])


class Written:
    """A text by the words that contamination counts, each at the place where it is written."""

    def __init__(self, text: str) -> None:
        self._text = text
        pieces = _PIECE.findall(text)
        self._begins = word_numbers(pieces, READING).offsets
        self._spans = np.array([piece.span() for piece in _PIECE.finditer(text)], np.int64).reshape(-1, 2)

    def passage(self, first: int, last: int) -> str:
        """What is written from one word to another, both included, cut to `LENGTH`."""
        pieces = np.searchsorted(self._begins, [first, last], "right") - 1
        start, end = pieces.clip(0, len(self._spans) - 1)
        return cut(self._text[self._spans[start, 0] : self._spans[end, 1]])


def cut(text: str) -> str:
    return text if len(text) <= LENGTH else text[: LENGTH - 1] + "…"
