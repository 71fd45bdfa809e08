"""Dead letters: episodes that our own failures spoiled in every try, kept until a person decides.

One is not run again by itself. A person puts it back, and the next run takes it up, or discards it for good;
a finished result clears it. Each keeps every failed try: what went wrong, when and where.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from adp_resources.database import Database, upsert
from adp_resources.tables import dead_letters
from runtimes.contracts import Trajectory

State = Literal["dead", "retry", "discarded"]
"""Waits for a person; to be run by the next run; given up for good."""

LetterKey = tuple[str, str, int]
"""Round, task and sample."""


class Try(Struct, frozen=True, kw_only=True):
    """One failed try: the error, when it was over (epoch seconds) and which runtime and process it hit."""

    error_type: str
    error_message: str
    at: float
    where: str


@dataclass(frozen=True)
class DeadLetter:
    """One episode that never had its fair try. `reason` is why it was discarded, `decided_by` who said so."""

    round: str
    task_id: str
    sample: int
    task_type: str
    state: State
    error_type: str
    error_message: str
    history: tuple[Try, ...]
    died_at: float
    decided_by: str | None
    decided_at: float | None
    reason: str | None

    @property
    def key(self) -> LetterKey:
        return self.round, self.task_id, self.sample

    @property
    def name(self) -> str:
        """As `adp dlq` and `adp show` take it."""
        return f"{self.round}/{self.task_id}/{self.sample}"


def failed_try(trajectory: Trajectory) -> Try:
    """What a try that just failed leaves behind."""
    return Try(
        error_type=trajectory.error_type or "system_error",
        error_message=trajectory.error_message or "",
        at=time.time(),
        where=f"{trajectory.runtime_id} in process {os.getpid()} of {socket.gethostname()}",
    )


def bury(connection: Connection, trajectory: Trajectory, tries: Sequence[Try]) -> None:
    """Keep an episode that failed by our fault, after the tries it had before; it waits for a person."""
    known = connection.execute(sa.select(dead_letters.c.history).where(_is(_key(trajectory)))).scalar()
    row = {
        "round": trajectory.round,
        "task_id": trajectory.task_id,
        "sample": trajectory.sample,
        "task_type": trajectory.task_type,
        "state": "dead",
        "error_type": trajectory.error_type or "system_error",
        "error_message": trajectory.error_message or "",
        "history": [*(known or []), *map(msgspec.to_builtins, tries)],
        "died_at": time.time(),
        "decided_by": None,
        "decided_at": None,
        "reason": None,
    }
    upsert(connection, dead_letters, [row])


def clear(connection: Connection, trajectory: Trajectory) -> None:
    """Forget the letter of an episode that has its result."""
    connection.execute(sa.delete(dead_letters).where(_is(_key(trajectory))))


class DeadLetters:
    """What is in the table, and what a person decides about it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def all(self, states: Collection[State] = ("dead", "retry", "discarded")) -> list[DeadLetter]:
        """Those in these states, the newest first."""
        query = sa.select(dead_letters).where(dead_letters.c.state.in_(states))
        query = query.order_by(dead_letters.c.died_at.desc(), dead_letters.c.task_id, dead_letters.c.sample)
        with self.database.read() as connection:
            return [_letter(row) for row in connection.execute(query)]

    def in_rounds(self, state: State) -> dict[str, int]:
        """How many each round has in this state."""
        query = sa.select(dead_letters.c.round, sa.func.count()).where(dead_letters.c.state == state)
        with self.database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(dead_letters.c.round))}

    def held(self, round: str) -> set[tuple[str, int]]:
        """Task and sample of what a round is not to run: what waits for a person, and what was given up."""
        query = sa.select(dead_letters.c.task_id, dead_letters.c.sample).where(
            dead_letters.c.round == round, dead_letters.c.state != "retry"
        )
        with self.database.read() as connection:
            return {(row.task_id, row.sample) for row in connection.execute(query)}

    def put_back(self, keys: Iterable[LetterKey], by: str) -> int:
        """Let the next run take these up, unless they were discarded; gives how many there are of them."""
        return self._decide(keys, by, state="retry", reason=None)

    def discard(self, keys: Iterable[LetterKey], by: str, reason: str) -> int:
        """Give these up for good; gives how many there are of them."""
        return self._decide(keys, by, state="discarded", reason=reason)

    def _decide(self, keys: Iterable[LetterKey], by: str, **values: Any) -> int:
        decided = 0
        with self.database.begin() as connection:
            for key in keys:
                query = sa.update(dead_letters).where(_is(key), dead_letters.c.state != "discarded")
                query = query.values(decided_by=by, decided_at=time.time(), **values)
                decided += connection.execute(query).rowcount
        return decided


def _key(trajectory: Trajectory) -> LetterKey:
    return trajectory.round, trajectory.task_id, trajectory.sample


def _is(key: LetterKey) -> sa.ColumnElement[bool]:
    table = dead_letters.c
    return sa.and_(table.round == key[0], table.task_id == key[1], table.sample == key[2])


def _letter(row: sa.Row[Any]) -> DeadLetter:
    values = row._asdict()
    return DeadLetter(**{**values, "history": tuple(msgspec.convert(values["history"], list[Try]))})
