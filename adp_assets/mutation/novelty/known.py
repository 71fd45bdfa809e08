"""The index over what the pool holds. Each task's shingles are kept with it, so that loading makes none."""

from __future__ import annotations

from collections.abc import Container, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from adp_assets.mutation.novelty.index import NoveltyIndex
from adp_assets.mutation.novelty.shingles import Hashes, hashes, is_current, packed, unpacked
from adp_resources.database import Database
from adp_resources.tables import pool_tasks

AT_ONCE = 500
"""Tasks whose shingles are made and written in one transaction."""


def index_of_pool(database: Database) -> NoveltyIndex:
    """All tasks of the pool, whatever their type and status.

    Those without shingles, from task files and from older versions, get theirs, for the next time too.
    """
    query = sa.select(pool_tasks.c.task_id, pool_tasks.c.shingles).order_by(pool_tasks.c.task_id)
    with database.read() as connection:
        rows = connection.execute(query).all()
    found = {row.task_id: unpacked(row.shingles) for row in rows if is_current(row.shingles)}
    bare = [row.task_id for row in rows if row.task_id not in found]
    for start in range(0, len(bare), AT_ONCE):
        found |= _make_up(database, bare[start : start + AT_ONCE])
    index = NoveltyIndex()
    index.extend(list(found), list(found.values()))
    return index


def came_in(connection: Connection, since: float, known: Container[str]) -> dict[str, Hashes]:
    """The pool's tasks that were added `since` then, epoch seconds, and are not among those known."""
    task_id = pool_tasks.c.task_id
    query = sa.select(task_id).where(pool_tasks.c.added_at >= since)
    fresh = [name for name in connection.execute(query).scalars() if name not in known]
    found: dict[str, Hashes] = {}
    for start in range(0, len(fresh), AT_ONCE):
        part = task_id.in_(fresh[start : start + AT_ONCE])
        query = sa.select(task_id, pool_tasks.c.shingles, pool_tasks.c.spec)
        for name, kept, spec in connection.execute(query.where(part)):
            found[name] = unpacked(kept) if is_current(kept) else hashes(spec["description"])
    return found


def _make_up(database: Database, task_ids: Sequence[str]) -> dict[str, Hashes]:
    """Make and keep the shingles of these tasks."""
    task_id = pool_tasks.c.task_id
    with database.begin() as connection:
        query = sa.select(task_id, pool_tasks.c.spec).where(task_id.in_(task_ids)).order_by(task_id)
        found = {row.task_id: hashes(row.spec["description"]) for row in connection.execute(query)}
        mend = sa.update(pool_tasks).where(task_id == sa.bindparam("of"))
        mend = mend.values(shingles=sa.bindparam("made"))
        connection.execute(mend, [{"of": each, "made": packed(own)} for each, own in found.items()])
    return found
