"""How often each task was solved and how hard that makes it, over the fair tries of all rounds.

A fair try is a finished episode: what our own failures spoiled, or a person or a budget stopped, says nothing
about a task. Surplus episodes are fair tries, too; leaving them out would favour what is quick.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import sqlalchemy as sa

from adp_resources.database import Database, upsert
from adp_resources.tables import journal, round_tasks, task_stats

EPISODES = sa.func.count().filter(journal.c.finished)
VERIFIED = sa.func.count().filter(journal.c.outcome.in_(["solved", "unsolved"]))
SOLVED = sa.func.count().filter(journal.c.outcome == "solved")


@dataclass(frozen=True)
class TaskRecord:
    """A task's fair tries: `episodes` of them, `verified` judged by a verifier, `solved` of these."""

    task_id: str
    episodes: int
    verified: int
    solved: int

    @property
    def pass_rate(self) -> float | None:
        """The share of verified tries that were solved; None without one."""
        return self.solved / self.verified if self.verified else None

    @property
    def difficulty(self) -> float | None:
        """From 0, always solved, to 1, never; None where no verifier ever judged.

        One less the mean that Laplace's rule of succession expects of the pass rate, so that one lucky try
        does not make a task easy, nor one unlucky try impossible.
        """
        return 1 - (self.solved + 1) / (self.verified + 2) if self.verified else None


class TaskStats:
    """The stored records of tasks, and those of one round alone."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def refresh(self, round: str) -> None:
        """Count the tasks of a round anew, over all rounds."""
        members = sa.select(round_tasks.c.task_id).where(round_tasks.c.round == round)
        query = sa.select(journal.c.task_id, EPISODES, VERIFIED, SOLVED)
        query = query.where(journal.c.task_id.in_(members)).group_by(journal.c.task_id).having(EPISODES > 0)
        with self.database.begin() as connection:
            found = [TaskRecord(*row) for row in connection.execute(query)]
            now = time.time()
            upsert(
                connection,
                task_stats,
                [
                    {
                        "task_id": record.task_id,
                        "episodes": record.episodes,
                        "verified": record.verified,
                        "solved": record.solved,
                        "pass_rate": record.pass_rate,
                        "difficulty": record.difficulty,
                        "updated_at": now,
                    }
                    for record in found
                ],
            )

    def get(self, task_id: str) -> TaskRecord | None:
        """What is known of a task; None before its first fair try has landed."""
        query = _stored().where(task_stats.c.task_id == task_id)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return TaskRecord(*row) if row else None

    def difficulties(self) -> dict[str, float | None]:
        """How hard each task is that had a fair try, over all rounds, by id."""
        with self.database.read() as connection:
            return {row.task_id: TaskRecord(*row).difficulty for row in connection.execute(_stored())}

    def of_round(self, round: str) -> list[TaskRecord]:
        """The records, over all rounds, of the tasks that a round has, the hardest first."""
        query = _stored().join(round_tasks, round_tasks.c.task_id == task_stats.c.task_id)
        query = query.where(round_tasks.c.round == round)
        query = query.order_by(task_stats.c.difficulty.desc(), task_stats.c.task_id)
        with self.database.read() as connection:
            return [TaskRecord(*row) for row in connection.execute(query)]

    def within(self, round: str, task_type: str | None = None) -> list[TaskRecord]:
        """What a round alone says of its tasks."""
        query = sa.select(journal.c.task_id, EPISODES, VERIFIED, SOLVED).where(journal.c.round == round)
        if task_type is not None:
            query = query.where(journal.c.task_type == task_type)
        query = query.group_by(journal.c.task_id).having(EPISODES > 0).order_by(journal.c.task_id)
        with self.database.read() as connection:
            return [TaskRecord(*row) for row in connection.execute(query)]


def _stored() -> sa.Select[str, int, int, int]:
    table = task_stats.c
    return sa.select(table.task_id, table.episodes, table.verified, table.solved)
