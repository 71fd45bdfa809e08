"""Trials: the episodes that candidates were tried in before they were let in.

They are of no round's plan and in no dataset, and are kept apart from the journal. Their samples are numbered
from `FIRST_SAMPLE`, so that neither seeds nor cached replies are those of the samples that rounds run.
"""

from __future__ import annotations

import hashlib
import json
import time
import zlib
from typing import Any

import msgspec
import sqlalchemy as sa

from adp_resources.database import Database, upsert
from adp_resources.tables import trials
from runtimes.contracts import TaskSpec, Trajectory, trajectory_from_json, trajectory_to_json

FIRST_SAMPLE = 1_000
FINISHED = ("solved", "unsolved", "unverified")
"""Outcomes of episodes that had their fair try."""


class Trials:
    """The table of trials, by the round whose mutation made the candidate, the candidate and the sample.

    A trial is of the very task it ran: where a candidate was drafted anew, those of the former draft are as
    good as not there.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def write(self, task: TaskSpec, trajectory: Trajectory) -> None:
        """Keep one trial of this task at once.

        A failure of ours is replaced by the next try, and replaces no result of the same task.
        """
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
            "task_digest": _digest(task),
        }
        with self.database.begin() as connection:
            upsert(connection, trials, [row], replace_if=_no_loss)

    def finished(self, round: str, task: TaskSpec) -> list[Trajectory]:
        """The trials of a candidate's task that need not be run again, by their sample."""
        query = sa.select(trials.c.document).where(
            trials.c.round == round,
            trials.c.task_id == task.task_id,
            trials.c.task_digest == _digest(task),
            trials.c.outcome.in_(FINISHED),
        )
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(trials.c.sample)).all()
        return [trajectory_from_json(zlib.decompress(row.document)) for row in rows]


def _no_loss(new: Any) -> sa.ColumnElement[bool]:
    return sa.or_(trials.c.outcome.not_in(FINISHED), trials.c.task_digest != new.task_digest)


def _digest(task: TaskSpec) -> str:
    """Of the whole task, the same when it has been in the database meanwhile."""
    whole = json.dumps(msgspec.to_builtins(task), sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()
