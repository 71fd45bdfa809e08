"""Trials: the episodes that candidates were tried in before they were let in.

They are of no round's plan and in no dataset, and are kept apart from the journal. Their samples are numbered
from `FIRST_SAMPLE`, so that neither seeds nor cached replies are those of the samples that rounds run.
"""

from __future__ import annotations

import time
import zlib

import sqlalchemy as sa

from adp_resources.database import Database, upsert
from adp_resources.tables import trials
from runtimes.contracts import Trajectory, trajectory_from_json, trajectory_to_json

FIRST_SAMPLE = 1_000
FINISHED = ("solved", "unsolved", "unverified")
"""Outcomes of episodes that had their fair try."""


class Trials:
    """The table of trials, by the round whose mutation made the candidate, the candidate and the sample."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def write(self, trajectory: Trajectory) -> None:
        """Keep one trial at once. A failure of ours is replaced by the next try, and replaces no result."""
        row = {
            "round": trajectory.round,
            "task_id": trajectory.task_id,
            "sample": trajectory.sample,
            "outcome": trajectory.outcome,
            "reward": trajectory.reward,
            "error_type": trajectory.error_type,
            "error_message": trajectory.error_message,
            "steps": len(trajectory.steps),
            "prompt_tokens": trajectory.prompt_tokens,
            "completion_tokens": trajectory.completion_tokens,
            "seconds": trajectory.total_duration,
            "ended_at": time.time(),
            "document": zlib.compress(trajectory_to_json(trajectory), 1),
        }
        with self.database.begin() as connection:
            upsert(connection, trials, [row], replace_if=_no_loss)

    def finished(self, round: str, task_id: str) -> list[Trajectory]:
        """A candidate's trials that need not be run again, by their sample."""
        query = sa.select(trials.c.document).where(
            trials.c.round == round, trials.c.task_id == task_id, trials.c.outcome.in_(FINISHED)
        )
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(trials.c.sample)).all()
        return [trajectory_from_json(zlib.decompress(row.document)) for row in rows]


def _no_loss(new: object) -> sa.ColumnElement[bool]:
    return trials.c.outcome.not_in(FINISHED)
