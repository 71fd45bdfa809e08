"""Whether what synthesis makes has become less varied than it was at first in its chain of rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adp_assets.diversity.measure import Made, Measures
from adp_assets.diversity.rarefaction import distinct_share, entropy

ENOUGH = 20
"""Of fewer made tasks a round's variety cannot be told."""


@dataclass(frozen=True)
class Fall:
    """One measure at first and now, both as expected of `size` tasks or 3-grams."""

    what: str
    first: float
    now: float
    size: int

    @property
    def share(self) -> float:
        """How much of what was there at first is gone; below 0 where it grew."""
        return 1 - self.now / self.first if self.first else 0.0

    def __str__(self) -> str:
        return f"{self.what} {self.first:.2f} at first, {self.now:.2f} now ({-self.share:+.0%})"


def falls(chain: Mapping[str, Measures]) -> tuple[str, list[Fall]] | None:
    """The first round to compare with and how the last of the chain stands to it; None where one cannot.

    Only made tasks are compared, of the first round that has enough of them and the last. The larger of both
    is taken down to the size of the smaller, as a larger one has more domains and repeats more words.
    """
    judged = {name: measures.made for name, measures in chain.items() if measures.made.tasks >= ENOUGH}
    if len(judged) < 2 or list(judged)[-1] != list(chain)[-1]:
        return None
    (name, first), *_, (_, now) = judged.items()
    tasks = min(first.tasks, now.tasks)
    grams = min(_grams(first), _grams(now))
    return name, [
        Fall("domain entropy", _domain_bits(first, tasks), _domain_bits(now, tasks), tasks),
        Fall("distinct 3-grams", _distinct(first, grams), _distinct(now, grams), grams),
    ]


def _grams(made: Made) -> int:
    return sum(int(times) * count for times, count in made.repeats.items())


def _domain_bits(made: Made, size: int) -> float:
    return entropy(made.domains.values(), size)


def _distinct(made: Made, size: int) -> float:
    return distinct_share({int(times): count for times, count in made.repeats.items()}, size)
