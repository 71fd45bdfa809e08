"""How many solved trajectories a chain of rounds is to have, how many it has, and which are surplus.

Only those count that datasets take: `judged` says whether these take what rests on a judge's word alone.

Accepted are those that were solved first, in the order in which the journal took them. That order is written
down, so that running again changes nothing, and a verdict once given stays: by the order of the plan, what
ends late could displace what another step has already handed on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from adp_resources.tables import journal, rounds
from runtimes.contracts import Trajectory


@dataclass(frozen=True)
class Acceptance:
    """Solved trajectories of a chain of rounds: how many are asked for, accepted and surplus.

    `finished` is how many episodes the chain has that had their fair try, `withheld` how many it has solved
    that do not count.
    """

    target: int
    accepted: int
    surplus: int
    finished: int
    withheld: int = 0

    @property
    def missing(self) -> int:
        return max(self.target - self.accepted, 0)

    @property
    def episodes_wanted(self) -> int:
        """How many more episodes it should take, at the pass rate so far, or as if each were solved."""
        return math.ceil(self.missing * (self.finished + 1) / (self.accepted + self.surplus + 1))


def acceptance(connection: Connection, round: str, *, judged: bool = False) -> Acceptance | None:
    """How far the round's chain has come; None where it has no target."""
    chain = connection.execute(
        sa.select(rounds.c.chain, rounds.c.accept).where(rounds.c.round == round)
    ).first()
    if chain is None or chain.accept is None:
        return None
    solved, counts_too = journal.c.outcome == "solved", _counts(judged)
    counts = sa.select(
        sa.func.count().filter(solved, counts_too, sa.not_(journal.c.surplus)),
        sa.func.count().filter(solved, counts_too, journal.c.surplus),
        sa.func.count().filter(journal.c.outcome.in_(["solved", "unsolved", "unverified"])),
        sa.func.count().filter(solved, sa.not_(counts_too)),
    ).where(_in_chain(chain.chain))
    return Acceptance(chain.accept, *connection.execute(counts).one())


def has_place(connection: Connection, trajectory: Trajectory, *, judged: bool = False) -> bool:
    """Whether a solved trajectory, about to be written by this transaction, is one of those asked for."""
    if (chain := _lock(connection, trajectory.round)) is None:
        return True
    if trajectory.withheld is not None and not (judged and trajectory.withheld == "judged"):
        return False
    name, target = chain
    itself = sa.select(journal.c.surplus).where(
        journal.c.round == trajectory.round,
        journal.c.task_id == trajectory.task_id,
        journal.c.sample == trajectory.sample,
        journal.c.outcome == "solved",
    )
    if connection.execute(itself).scalar() is False:
        return True  # written again, it keeps the place it has
    accepted = sa.select(sa.func.count()).where(_solved_in(name), _counts(judged), sa.not_(journal.c.surplus))
    return connection.execute(accepted).scalar_one() < target


def promotable(
    connection: Connection, round: str, *, judged: bool = False
) -> list[tuple[str, str, int, bytes]]:
    """Round, task, sample and document of what is surplus though a place is free, the oldest first."""
    if (chain := _lock(connection, round)) is None:
        return []
    state = acceptance(connection, round, judged=judged)
    assert state is not None
    query = sa.select(journal.c.round, journal.c.task_id, journal.c.sample, journal.c.document)
    query = query.where(_solved_in(chain[0]), _counts(judged), journal.c.surplus)
    query = query.order_by(journal.c.ended_at, journal.c.task_id, journal.c.sample).limit(state.missing)
    return [(row.round, row.task_id, row.sample, row.document) for row in connection.execute(query)]


def _lock(connection: Connection, round: str) -> tuple[str, int] | None:
    """The chain's name and target, with its first round locked: SQLite has one writer, PostgreSQL many."""
    row = connection.execute(
        sa.select(rounds.c.chain, rounds.c.accept).where(rounds.c.round == round)
    ).first()
    if row is None or row.accept is None:
        return None
    connection.execute(sa.select(rounds.c.round).where(rounds.c.round == row.chain).with_for_update())
    return row.chain, row.accept


def _counts(judged: bool) -> sa.ColumnElement[bool]:
    withheld = journal.c.withheld
    return sa.or_(withheld.is_(None), withheld == "judged") if judged else withheld.is_(None)


def _solved_in(chain: str) -> sa.ColumnElement[bool]:
    return sa.and_(_in_chain(chain), journal.c.outcome == "solved")


def _in_chain(chain: str) -> sa.ColumnElement[bool]:
    return journal.c.round.in_(sa.select(rounds.c.round).where(rounds.c.chain == chain))
