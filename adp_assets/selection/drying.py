"""When synthesis has dried up: too few of a round's proposals were new to be worth another round."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from adp_resources.database import Database
from adp_resources.tables import candidates

GATE = "novelty"
ENOUGH = 20
"""Of fewer proposals one cannot say that new ones have become rare."""


@dataclass(frozen=True)
class Proposals:
    """Of a round's proposals, how many the novelty gate judged and how many of these it let pass."""

    judged: int
    new: int

    def why_dried_up(self, least: float) -> str | None:
        """Why no round is worth following, where a smaller share than `least`, 0 to 1, was new; else None."""
        if self.judged < ENOUGH or self.new / self.judged >= least:
            return None
        return (
            f"synthesis has dried up: {self.new} of {self.judged} proposals were new, "
            f"less than {least:.0%} (MIN_NOVELTY)"
        )


def proposals_of(database: Database, round: str) -> Proposals:
    """What the novelty gate said of a round's proposals; those that an earlier gate refused it never saw."""
    table = candidates.c
    query = sa.select(table.verdicts, table.gate, table.accepted).where(table.round == round)
    with database.read() as connection:
        rows = connection.execute(query).all()
    passed = [
        verdict["passed"]
        for row in rows
        # Before every verdict was kept there was only that of the gate that decided.
        for verdict in row.verdicts or [{"gate": row.gate, "passed": row.accepted}]
        if verdict["gate"] == GATE
    ]
    return Proposals(len(passed), sum(passed))
