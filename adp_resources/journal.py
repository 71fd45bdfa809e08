"""The journal: every trajectory at once, keyed by round, task and sample, and its mirror in files."""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from adp_resources.database import Database, upsert
from adp_resources.files import write_atomically
from adp_resources.tables import journal
from runtimes.contracts import Outcome, Trajectory, trajectory_from_json, trajectory_to_json
from runtimes.errors import ErrorType

Key = tuple[str, int]
"""A task's id and a sample's number: what is unique within a round."""


@dataclass(frozen=True)
class Interval:
    """When one episode ran, grading included; epoch seconds."""

    task_type: str
    started_at: float
    ended_at: float


class End(msgspec.Struct, frozen=True):
    """The fields of a trajectory that say why it ended as it did, and nothing of its steps."""

    outcome: Outcome
    error_type: ErrorType | None = None
    error_message: str | None = None
    grade_reason: str = ""


def _no_loss(new: Any) -> sa.ColumnElement[bool]:
    """A finished row is replaced by another finished one only, never by a failure of ours."""
    return sa.or_(new.finished, sa.not_(journal.c.finished))


class Journal:
    """The record of what was executed. A row is written once its episode is over and never lost after."""

    def __init__(self, database: Database, trajectories: Path) -> None:
        self.database = database
        self.trajectories = trajectories

    def write(self, trajectory: Trajectory, *, attempts: int = 1) -> None:
        """Keep one trajectory; a repeated write of the same key replaces it.

        Its JSON file comes first: with the row alone a rerun would count the episode as done and leave the
        file out.
        """
        document = trajectory_to_json(trajectory)
        self._mirror(trajectory, document)
        row = {
            "round": trajectory.round,
            "task_id": trajectory.task_id,
            "sample": trajectory.sample,
            "task_type": trajectory.task_type,
            "runtime_id": trajectory.runtime_id,
            "outcome": trajectory.outcome,
            "finished": trajectory.finished,
            "error_type": trajectory.error_type,
            "error_message": trajectory.error_message,
            "reward": trajectory.reward,
            "steps": len(trajectory.steps),
            "prompt_tokens": trajectory.prompt_tokens,
            "completion_tokens": trajectory.completion_tokens,
            "cost_usd": trajectory.cost_usd,
            "started_at": trajectory.created_at,
            "ended_at": time.time(),
            "attempts": attempts,
            "document": zlib.compress(document, 1),
        }
        with self.database.begin() as connection:
            upsert(connection, journal, [row], replace_if=_no_loss)

    def finished(self, round: str, task_type: str) -> set[Key]:
        """What needs no further run in this round."""
        query = sa.select(journal.c.task_id, journal.c.sample).where(
            journal.c.round == round, journal.c.task_type == task_type, journal.c.finished
        )
        with self.database.read() as connection:
            return {(row.task_id, row.sample) for row in connection.execute(query)}

    def read_round(self, round: str, task_type: str | None = None) -> Iterator[Trajectory]:
        """A round's trajectories in the order of task and sample, whatever became of them."""
        query = sa.select(journal.c.document).where(journal.c.round == round)
        if task_type is not None:
            query = query.where(journal.c.task_type == task_type)
        with self.database.read() as connection:
            for row in connection.execute(query.order_by(journal.c.task_id, journal.c.sample)):
                yield trajectory_from_json(zlib.decompress(row.document))

    def find(self, task_id: str, round: str | None = None, sample: int | None = None) -> Trajectory | None:
        """The newest trajectory of a task, or the one named."""
        query = sa.select(journal.c.document).where(journal.c.task_id == task_id)
        if round is not None:
            query = query.where(journal.c.round == round)
        if sample is not None:
            query = query.where(journal.c.sample == sample)
        query = query.order_by(journal.c.ended_at.desc(), journal.c.sample).limit(1)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return trajectory_from_json(zlib.decompress(row.document)) if row else None

    def task_ids_like(self, part: str, limit: int = 5) -> list[str]:
        """Ids that hold `part`, for a message that helps."""
        query = (
            sa.select(journal.c.task_id).distinct().where(journal.c.task_id.contains(part, autoescape=True))
        )
        with self.database.read() as connection:
            return list(connection.execute(query.order_by(journal.c.task_id).limit(limit)).scalars())

    def outcomes(self, round: str) -> Counter[tuple[str, str]]:
        """How many rows each (task type, outcome) of a round has."""
        query = (
            sa.select(journal.c.task_type, journal.c.outcome, sa.func.count())
            .where(journal.c.round == round)
            .group_by(journal.c.task_type, journal.c.outcome)
        )
        with self.database.read() as connection:
            return Counter({(kind, outcome): count for kind, outcome, count in connection.execute(query)})

    def ends(self, round: str, *outcomes: Outcome) -> Iterator[End]:
        """How the episodes of a round with one of these outcomes ended."""
        query = sa.select(journal.c.document).where(
            journal.c.round == round, journal.c.outcome.in_(list(outcomes))
        )
        decoder = msgspec.json.Decoder(End)
        with self.database.read() as connection:
            for row in connection.execute(query):
                yield decoder.decode(zlib.decompress(row.document))

    def cost(self, round: str) -> tuple[int, float | None]:
        """A round's tokens, and its money where it is known."""
        query = sa.select(
            sa.func.coalesce(sa.func.sum(journal.c.prompt_tokens + journal.c.completion_tokens), 0),
            sa.func.sum(journal.c.cost_usd),
        ).where(journal.c.round == round)
        with self.database.read() as connection:
            tokens, cost = connection.execute(query).one()
        return int(tokens), cost

    def spent(self, rounds: Iterable[str]) -> float | None:
        """The money that rounds took, in USD; None when it is unknown of any."""
        costs = [self.cost(round)[1] for round in rounds]
        return None if None in costs else sum(cost or 0.0 for cost in costs)

    def intervals(self, round: str) -> list[Interval]:
        """When each episode of a round ran."""
        query = sa.select(journal.c.task_type, journal.c.started_at, journal.c.ended_at)
        with self.database.read() as connection:
            return [Interval(*row) for row in connection.execute(query.where(journal.c.round == round))]

    def _mirror(self, trajectory: Trajectory, document: bytes) -> None:
        """The first sample under the task's id, further ones in a folder beside; our failure hides none."""
        if trajectory.sample == 0:
            path = self.trajectories / f"{trajectory.task_id}.json"
        else:
            path = self.trajectories / f"{trajectory.task_id}.samples" / f"{trajectory.sample}.json"
        if trajectory.finished or not path.exists():
            write_atomically(path, document)
