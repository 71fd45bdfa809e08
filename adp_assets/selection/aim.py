"""The curriculum: which pass rate the next round aims at, by how the round before it went."""

from __future__ import annotations

import math
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from adp_assets.selection.cut import Candidate
from adp_resources.tables import journal, rounds
from adp_resources.task_stats import SOLVED, VERIFIED

AS_GOOD_AS = 2.0
"""Tries that a parent's record counts for, beside the trials of the task itself."""
UNSURE = 20
"""With so many verified episodes a round's pass rate is believed by half."""
FEW = 3
"""So many tasks any root seed may have in a round, however small the round is."""


@dataclass(frozen=True)
class Mix:
    """The bounds of a round's mix.

    Its expected pass rate is to lie from `pass_rate_min` to `pass_rate_max`, one root seed's descendants are
    to have at most `root_share` of its places for new tasks. `trials` is how many episodes a task's own pass
    rate is of.
    """

    pass_rate_min: float = 0.3
    pass_rate_max: float = 0.9
    root_share: float = 0.2
    trials: int = 2

    @property
    def middle(self) -> float:
        return (self.pass_rate_min + self.pass_rate_max) / 2

    def root_quota(self, places: int, roots: int | None = None) -> int:
        """How many of so many new tasks may come from one root seed.

        That is its share, or an equal one where so few `roots` are known that such shares fill no round.
        """
        return max(FEW, math.floor(self.root_share * places), math.ceil(places / roots) if roots else 0)

    def expected(self, candidate: Candidate, otherwise: float) -> float:
        """How often the next try of a task is expected to solve it.

        The pass rate of its trials, drawn towards its parent's record as if `AS_GOOD_AS` tries had gone like
        that, since what was let in for passing has luck in it. `otherwise` stands for a record unknown.
        """
        record = otherwise if candidate.record is None else candidate.record
        if candidate.tried is None or not self.trials:
            return record
        return (self.trials * candidate.tried + AS_GOOD_AS * record) / (self.trials + AS_GOOD_AS)

    def outside(self, rate: float) -> float:
        """How far a pass rate lies outside the bounds; 0 within."""
        return max(self.pass_rate_min - rate, rate - self.pass_rate_max, 0.0)


@dataclass(frozen=True)
class Before:
    """How the round before went: the pass rate expected of it, and that measured over `verified` episodes."""

    round: str
    expected: float | None
    measured: float | None
    verified: int


def went(connection: Connection, round: str) -> Before:
    """What is known of a round that was planned before."""
    selection = connection.execute(sa.select(rounds.c.selection).where(rounds.c.round == round)).scalar()
    query = sa.select(VERIFIED, SOLVED).where(journal.c.round == round)
    verified, solved = connection.execute(query).one()
    expected = (selection or {}).get("expected_pass")
    return Before(round, expected, solved / verified if verified else None, verified)


def aim(mix: Mix, before: Before | None) -> tuple[float, str]:
    """The pass rate to aim at, within the mix's bounds, and why.

    The middle of the bounds, less by what the round before was easier than expected, more by what it was
    harder: then the measured rate comes to the middle. Few verified episodes move it little.
    """
    middle = f"{mix.middle:.2f} is the middle of the bounds"
    if before is None:
        return mix.middle, f"{middle}, and no round went before"
    if before.measured is None:
        return mix.middle, f"{middle}, and no episode of {before.round} was verified"
    how = f"{before.round} was solved {before.measured:.2f} of the time"
    if before.expected is None:
        return mix.middle, f"{middle}; {how}, of which nothing was expected"
    trust = before.verified / (before.verified + UNSURE)
    wanted = mix.middle - trust * (before.measured - before.expected)
    bounded = min(max(wanted, mix.pass_rate_min), mix.pass_rate_max)
    better = "easier" if before.measured > before.expected else "harder"
    words = f"{how} where {before.expected:.2f} was expected"
    if before.measured == before.expected:
        return bounded, f"{middle}; {words}"
    return bounded, f"{words}: its tasks were {better}, so {_opposite(better)} ones are preferred"


def _opposite(word: str) -> str:
    return "harder" if word == "easier" else "easier"
