"""The pool of tasks: all that came in or was accepted from mutation, each once, with its lineage."""

from __future__ import annotations

import hashlib
import time
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from adp_resources.database import Database, upsert
from adp_resources.tables import pool_tasks
from runtimes.contracts import TaskSpec, Verifier


@dataclass(frozen=True)
class Known:
    """What is known of a task beside itself, as the columns of `pool_tasks` have it."""

    novelty: float | None = None
    expected_pass: float | None = None
    shingles: bytes | None = None


class TaskPool:
    """Tasks by id. A task is `pending` until a round takes it, then `planned`.

    One that waits for a person is in `review`, and `rejected` where that person refused it.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(
        self,
        connection: Connection,
        tasks: Sequence[TaskSpec],
        *,
        status: str = "pending",
        known: Mapping[str, Known] = MappingProxyType({}),
    ) -> set[str]:
        """Put tasks into the pool within the caller's transaction; gives the ids that were new.

        `known` is what their gates found out, by task id.
        """
        added: set[str] = set()
        now = time.time()
        for task in tasks:
            about = known.get(task.task_id, Known())
            row = {
                **_columns(task),
                "status": status,
                "novelty": about.novelty,
                "expected_pass": about.expected_pass,
                "shingles": about.shingles,
                "draw": _draw(task.task_id),
                "added_at": now,
            }
            if upsert(connection, pool_tasks, [row], replace=False):
                added.add(task.task_id)
        return added

    def get(self, task_id: str) -> TaskSpec | None:
        query = sa.select(pool_tasks.c.spec).where(pool_tasks.c.task_id == task_id)
        with self.database.read() as connection:
            spec = connection.execute(query).scalar()
        return msgspec.convert(spec, TaskSpec) if spec is not None else None

    def many(self, task_ids: Sequence[str]) -> dict[str, TaskSpec]:
        """The tasks of these ids that the pool has, however many."""
        found: dict[str, TaskSpec] = {}
        with self.database.read() as connection:
            for start in range(0, len(task_ids), 500):
                found |= self.specs(connection, task_ids[start : start + 500])
        return found

    def specs(self, connection: Connection, task_ids: Sequence[str]) -> dict[str, TaskSpec]:
        """The tasks of these ids that the pool has, within the caller's transaction."""
        table = pool_tasks.c
        query = sa.select(table.task_id, table.spec).where(table.task_id.in_(task_ids))
        return {row.task_id: msgspec.convert(row.spec, TaskSpec) for row in connection.execute(query)}

    def replace(self, connection: Connection, task: TaskSpec) -> None:
        """Let a task say something else from now on; its status and its age stay."""
        query = sa.update(pool_tasks).where(pool_tasks.c.task_id == task.task_id)
        connection.execute(query.values(**_columns(task), shingles=None))

    def set_verifier(self, task_id: str, verifier: Verifier) -> None:
        """Let a task have another verifier from now on, in later rounds too."""
        with self.database.begin() as connection:
            where = pool_tasks.c.task_id == task_id
            spec = connection.execute(sa.select(pool_tasks.c.spec).where(where)).scalar_one()
            changed = {**spec, "verifier": msgspec.to_builtins(verifier)}
            connection.execute(sa.update(pool_tasks).where(where).values(spec=changed))

    def counts(self) -> Counter[tuple[str, str]]:
        """How many tasks each (status, task type) has."""
        query = sa.select(pool_tasks.c.status, pool_tasks.c.task_type, sa.func.count()).group_by(
            pool_tasks.c.status, pool_tasks.c.task_type
        )
        with self.database.read() as connection:
            return Counter({(status, kind): count for status, kind, count in connection.execute(query)})

    def pending(self, sources: Sequence[str] = (), types: Sequence[str] = ()) -> int:
        """How many tasks wait for a round: of these task files and types, or of all."""
        return self.pending_by_type(sources, types).total()

    def seeds(self, sources: Sequence[str], types: Sequence[str] = ()) -> Counter[str]:
        """How many tasks of each type somebody wrote into these files, run before or not."""
        return self._by_type(pool_tasks.c.generation == 0, sources, types)

    def pending_by_type(self, sources: Sequence[str] = (), types: Sequence[str] = ()) -> Counter[str]:
        """How many tasks of each type wait for a round: of these task files and types, or of all."""
        return self._by_type(pool_tasks.c.status == "pending", sources, types)

    def _by_type(
        self, which: sa.ColumnElement[bool], sources: Sequence[str], types: Sequence[str]
    ) -> Counter[str]:
        query = sa.select(pool_tasks.c.task_type, sa.func.count().label("tasks")).where(which)
        if sources:
            query = query.where(pool_tasks.c.source.in_(sources))
        if types:
            query = query.where(pool_tasks.c.task_type.in_(types))
        with self.database.read() as connection:
            rows = connection.execute(query.group_by(pool_tasks.c.task_type))
            return Counter({row.task_type: row.tasks for row in rows})

    def in_review(self, sources: Sequence[str] = (), types: Sequence[str] = ()) -> int:
        """How many tasks wait for a person's approval: of these task files and types, or of all."""
        return self._by_type(pool_tasks.c.status == "review", sources, types).total()

    def pending_seeds(self, sources: Sequence[str], types: Sequence[str] = ()) -> int:
        """How many tasks of these types that somebody wrote into these files, or any, wait for a round."""
        waits = sa.and_(pool_tasks.c.status == "pending", pool_tasks.c.generation == 0)
        return self._by_type(waits, sources, types).total()

    def known_from(self, sources: Sequence[str]) -> int:
        """How many tasks of these files, or of any, the pool has, whatever became of them."""
        query = sa.select(sa.func.count()).select_from(pool_tasks)
        if sources:
            query = query.where(pool_tasks.c.source.in_(sources))
        with self.database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def descriptions(self, task_type: str) -> list[str]:
        """The wording of every task of a type, for judging whether a new one is new."""
        query = sa.select(pool_tasks.c.spec).where(pool_tasks.c.task_type == task_type)
        with self.database.read() as connection:
            return [spec["description"] for spec in connection.execute(query).scalars()]


def nothing_waits(in_review: int) -> str:
    """In words, that no task waits for a round, though so many may wait for a person."""
    if not in_review:
        return "no task waits in the pool"
    return f"no task waits in the pool but {in_review:,} for a person's approval (`adp review list`)"


def _columns(task: TaskSpec) -> dict[str, Any]:
    """The columns of `pool_tasks` that follow from the task itself."""
    return {
        "task_id": task.task_id,
        "task_type": task.task_type,
        "priority": task.priority,
        "description_key": description_key(task),
        "root_id": task.lineage.root_id,
        "operator": task.lineage.operator,
        "generation": task.lineage.generation,
        "source": task.lineage.source,
        "domain": str(task.metadata.get("domain") or "")[:64],
        "parent_id": next(iter(task.lineage.parents), ""),
        "spec": msgspec.to_builtins(task),
    }


def _draw(task_id: str) -> int:
    """31 bits that tell nothing, and are the same for the same task in every database."""
    digest = hashlib.sha256(task_id.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4]) >> 1


def description_key(task: TaskSpec) -> str:
    """What makes two tasks the same: type, lower-cased trimmed wording, and start address."""
    wording = " ".join(unicodedata.normalize("NFKC", task.description).casefold().split())
    same = "\0".join([task.task_type, wording, str(task.constraints.get("start_url", ""))])
    return hashlib.sha256(same.encode("utf-8", "surrogatepass")).hexdigest()[:32]
