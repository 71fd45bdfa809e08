"""What a round may choose from: people's tasks in their turn, and a bounded sample of those made from them.

SQL cuts here, by the indexes of `pool_tasks`, so that a pool of a million tasks costs little more than a
small one; no task's specification is read. What is chosen of it is `mix.py`'s.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from adp_resources.tables import pool_tasks, task_stats

PRIORITIES = range(10, 0, -1)
AT_LEAST = 4_000
A_PLACE = 4
"""So many candidates are looked at for each place of a round, and never fewer than `AT_LEAST`."""
MOST_ROOTS = 500
"""Root seeds of one priority that are surely looked at; of more, others come in by the draw."""
OLDEST = 0.1
"""The share of a round's new tasks that go to those that waited longest."""
DRAWS = 2**31


@dataclass(frozen=True)
class Allowed:
    """What a round is kept to: task types and task files, or all."""

    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def where(self) -> list[sa.ColumnElement[bool]]:
        conditions: list[sa.ColumnElement[bool]] = []
        if self.types:
            conditions.append(pool_tasks.c.task_type.in_(self.types))
        if self.sources:
            conditions.append(pool_tasks.c.source.in_(self.sources))
        return conditions


@dataclass(frozen=True)
class Candidate:
    """A task that waits. Rates are from 0 to 1, None where nothing is known.

    `novelty` is one less the likeness to the nearest task; `tried` the pass rate of its trials; `record` what
    is expected of a next try of its parent, or of itself where somebody wrote it. `added_at` is in epoch
    seconds.
    """

    task_id: str
    task_type: str
    domain: str
    root_id: str
    priority: int
    added_at: float
    novelty: float | None = None
    tried: float | None = None
    record: float | None = None


def people(connection: Connection, allowed: Allowed, size: int, *, again: bool = False) -> list[Candidate]:
    """At most `size` tasks that somebody wrote, by priority, then by age; with `again`, known ones, too."""
    table = pool_tasks.c
    found: list[Candidate] = []
    for priority in PRIORITIES:
        rows: list[Candidate] = []
        for status in ("pending", "planned") if again else ("pending",):
            query = _select(task_stats.c.task_id == table.task_id)
            query = query.where(table.status == status, table.priority == priority, table.generation == 0)
            query = query.where(*allowed.where()).order_by(table.added_at, table.task_id)
            rows += _candidates(connection, query.limit(size - len(found)))
        rows.sort(key=lambda row: (row.added_at, row.task_id))
        found += rows[: size - len(found)]
        if len(found) >= size:
            break
    return found


def generated(
    connection: Connection, seed: str, allowed: Allowed, places: int, root_quota: int
) -> list[Candidate]:
    """Tasks made from others, a sample that is the same for the same `seed` and pool.

    By priority, the highest first, until there are twice as many as `places`, no root counted for more than
    `root_quota`. Of each priority: the longest waiting, as many of every root seed, and others as drawn.
    """
    found: dict[str, Candidate] = {}
    roots: Counter[str] = Counter()
    for priority in PRIORITIES:
        for candidate in _of_priority(connection, seed, allowed, places, priority):
            if found.setdefault(candidate.task_id, candidate) is candidate:
                roots[candidate.root_id] += 1
        if sum(min(count, root_quota) for count in roots.values()) >= 2 * places:
            break
    return list(found.values())


def _of_priority(
    connection: Connection, seed: str, allowed: Allowed, places: int, priority: int
) -> list[Candidate]:
    table = pool_tasks.c
    waiting = [table.status == "pending", table.priority == priority, table.generation > 0]
    kept = waiting + allowed.where()
    waiting += Allowed(sources=allowed.sources).where()
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) % DRAWS
    query = _select(task_stats.c.task_id == table.parent_id)
    oldest = query.where(*kept).order_by(table.added_at, table.task_id)
    found = _candidates(connection, oldest.limit(math.ceil(OLDEST * places)))
    if not found:
        return []
    most = max(AT_LEAST, A_PLACE * places)
    types = allowed.types or tuple(_distinct(connection, table.task_type, waiting, most))
    families: list[tuple[str, str]] = []
    for kind in types:
        share = math.ceil(MOST_ROOTS / len(types))
        roots = _distinct(connection, table.root_id, [*waiting, table.task_type == kind], share + 1)
        families += [(kind, root) for root in roots]
        if len(roots) > share:
            others = query.where(*waiting, table.task_type == kind)
            found += _drawn(connection, others, start, math.ceil(most / len(types)))
    each = math.ceil(most / max(len(families), 1))
    for kind, root in families:
        family = query.where(*waiting, table.task_type == kind, table.root_id == root)
        found += _drawn(connection, family, start, each)
    return found


def _drawn(connection: Connection, query: sa.Select[Any], start: int, most: int) -> list[Candidate]:
    """At most so many rows in the order of their draw, from `start` on and round the end to it."""
    draw = pool_tasks.c.draw
    found = _candidates(connection, query.where(draw >= start).order_by(draw).limit(most))
    if len(found) < most:
        found += _candidates(connection, query.where(draw < start).order_by(draw).limit(most - len(found)))
    return found


def _distinct(
    connection: Connection,
    column: sa.ColumnElement[str],
    where: Sequence[sa.ColumnElement[bool]],
    most: int,
) -> list[str]:
    """A column's distinct values in their order, one step in an index each, where DISTINCT reads every row.

    The method is PostgreSQL's wiki's "loose indexscan".
    """
    first = sa.select(sa.func.min(column).label("value")).where(*where)
    values = first.cte("values_of", recursive=True)
    after = sa.select(sa.func.min(column)).where(*where, column > values.c.value).scalar_subquery()
    values = values.union_all(sa.select(after).where(values.c.value.is_not(None)))
    query = sa.select(values.c.value).where(values.c.value.is_not(None)).limit(most)
    return list(connection.execute(query).scalars())


def _select(record: sa.ColumnElement[bool]) -> sa.Select[Any]:
    table = pool_tasks.c
    columns = (table.task_id, table.task_type, table.domain, table.root_id, table.priority, table.added_at)
    query = sa.select(*columns, table.novelty, table.expected_pass, 1 - task_stats.c.difficulty)
    return query.select_from(pool_tasks.outerjoin(task_stats, record))


def _candidates(connection: Connection, query: sa.Select[Any]) -> list[Candidate]:
    return [Candidate(*row) for row in connection.execute(query)]
