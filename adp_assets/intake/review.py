"""Accepted tasks that wait for a person: which they are, and what that person decided about each."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from adp_resources.database import Database, upsert
from adp_resources.tables import candidates, pool_tasks, reviews
from runtimes.contracts import TaskSpec
from runtimes.errors import ConfigurationError

WAITING, APPROVED, REJECTED = "review", "pending", "rejected"
"""The status in the pool of a task that waits for a person, and what it becomes."""
MOST_IDS = 10_000
"""Ids that an unknown one is compared with; near ones of a larger pool are not worth the time."""


@dataclass(frozen=True)
class Wanted:
    """Which waiting tasks: all that fit every filter that is set.

    `round` is the one whose mutation made them. `trivial` wants those that every trial solved.
    """

    task_type: str | None = None
    operator: str | None = None
    root_id: str | None = None
    round: str | None = None
    trivial: bool = False


@dataclass(frozen=True)
class Reviewable:
    """A task of the pool, and what a person should know beside it before deciding.

    `round` made it; empty where no mutation did. `novelty` and `expected_pass` run from 0 to 1; None where
    nobody measured them. `added_at` is in epoch seconds.
    """

    task: TaskSpec
    status: str
    round: str
    novelty: float | None
    expected_pass: float | None
    added_at: float


@dataclass(frozen=True)
class Decision:
    """What was decided about a task, by whom, when (epoch seconds) and why."""

    task_id: str
    approved: bool
    decided_by: str
    decided_at: float
    reason: str


class Reviews:
    """The table `reviews` and the tasks of the pool it is about."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def waiting(self, wanted: Wanted | None = None) -> list[Reviewable]:
        """The tasks that wait, those that came first first."""
        made_in = _made_in()
        query = _asked_of(made_in).where(
            pool_tasks.c.status == WAITING, *_filters(wanted or Wanted(), made_in)
        )
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(pool_tasks.c.added_at, pool_tasks.c.task_id))
            return [_reviewable(row) for row in rows]

    def get(self, task_id: str) -> Reviewable:
        """One task, whether it waits or not.

        Raises ConfigurationError naming near ids for one that the pool does not have.
        """
        with self.database.read() as connection:
            row = connection.execute(_asked_of(_made_in()).where(pool_tasks.c.task_id == task_id)).first()
            if row is None:
                raise ConfigurationError(f"The pool has no task {task_id!r}.", _near(connection, task_id))
        return _reviewable(row)

    def decision(self, task_id: str) -> Decision | None:
        """What was decided about a task; None where nothing was."""
        with self.database.read() as connection:
            row = connection.execute(sa.select(reviews).where(reviews.c.task_id == task_id)).first()
        return Decision(**row._mapping) if row else None

    def decide(self, task_id: str, *, approved: bool, by: str, reason: str = "") -> bool:
        """Let a waiting task into the next rounds, or keep it out for good: one transaction.

        False, and nothing changes, where the task does not wait (any more).
        """
        with self.database.begin() as connection:
            query = sa.update(pool_tasks).where(
                pool_tasks.c.task_id == task_id, pool_tasks.c.status == WAITING
            )
            changed = connection.execute(query.values(status=APPROVED if approved else REJECTED)).rowcount
            if changed:
                upsert(connection, reviews, [vars(Decision(task_id, approved, by, time.time(), reason))])
        return bool(changed)


def _made_in() -> sa.Subquery:
    """The first round that accepted each task among its candidates."""
    query = sa.select(candidates.c.task_id, sa.func.min(candidates.c.round).label("round"))
    return query.where(candidates.c.accepted).group_by(candidates.c.task_id).subquery()


def _asked_of(made_in: sa.Subquery) -> sa.Select[Any]:
    columns = (*pool_tasks.c["status", "novelty", "expected_pass", "added_at", "spec"], made_in.c.round)
    return sa.select(*columns).outerjoin_from(pool_tasks, made_in, made_in.c.task_id == pool_tasks.c.task_id)


def _filters(wanted: Wanted, made_in: sa.Subquery) -> Iterable[sa.ColumnElement[bool]]:
    columns: dict[Any, str | None] = {
        pool_tasks.c.task_type: wanted.task_type,
        pool_tasks.c.operator: wanted.operator,
        pool_tasks.c.root_id: wanted.root_id,
        made_in.c.round: wanted.round,
    }
    yield from (column == value for column, value in columns.items() if value is not None)
    if wanted.trivial:
        yield pool_tasks.c.expected_pass >= 1


def _reviewable(row: sa.Row[Any]) -> Reviewable:
    return Reviewable(
        task=msgspec.convert(row.spec, TaskSpec),
        status=row.status,
        round=row.round or "",
        novelty=row.novelty,
        expected_pass=row.expected_pass,
        added_at=row.added_at,
    )


def _near(connection: Connection, task_id: str) -> str:
    """The way out for an unknown id: waiting tasks whose ids are like it, else any."""
    query = sa.select(pool_tasks.c.task_id).order_by(pool_tasks.c.status != WAITING, pool_tasks.c.task_id)
    known = connection.execute(query.limit(MOST_IDS)).scalars().all()
    near = get_close_matches(task_id, known, n=3, cutoff=0.5)
    listed = "`adp review list` shows those that wait."
    return f"Such as: {', '.join(near)}. {listed}" if near else listed
