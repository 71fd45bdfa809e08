"""How often tasks were solved: over all rounds and in one, and how hard that makes them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from adp_resources.database import Database, upsert
from adp_resources.journal import Journal
from adp_resources.tables import pool_tasks, round_tasks, rounds, task_stats
from adp_resources.task_stats import TaskRecord, TaskStats
from runtimes.contracts import Outcome, Trajectory


@pytest.fixture
def stats(database: Database) -> TaskStats:
    return TaskStats(database)


def planned(database: Database, round: str, *task_ids: str) -> None:
    with database.begin() as connection:
        task = {"task_type": "code", "priority": 1, "status": "planned", "description_key": "", "root_id": ""}
        task |= {"operator": "seed", "generation": 0, "source": "", "spec": {}, "added_at": 0.0}
        upsert(connection, pool_tasks, [task | {"task_id": name} for name in task_ids])
        row = {
            "round": round,
            "follows": None,
            "number": 1,
            "samples": 1,
            "max_rounds": 1,
            "driver": "person",
        }
        upsert(connection, rounds, [row | {"planned_at": 0.0, "accept": None, "chain": round}])
        upsert(
            connection,
            round_tasks,
            [{"round": round, "task_id": name, "position": n} for n, name in enumerate(task_ids)],
        )


def ran(journal: Journal, round: str, task_id: str, *outcomes: Outcome) -> None:
    for sample, outcome in enumerate(outcomes):
        journal.write(
            Trajectory(
                task_id=task_id,
                runtime_id="x",
                round=round,
                task_type="code",
                sample=sample,
                outcome=outcome,
            )
        )


def test_fair_tries_of_all_rounds_are_counted_and_no_others(journal: Journal, stats: TaskStats) -> None:
    planned(journal.database, "r1", "t", "u")
    planned(journal.database, "r2", "t")
    ran(journal, "r1", "t", "solved", "unsolved", "infrastructure_error", "cancelled")
    ran(journal, "r2", "t", "solved", "unverified")
    ran(journal, "r1", "u", "unsolved")
    stats.refresh("r1")
    assert stats.get("t") == TaskRecord("t", episodes=4, verified=3, solved=2)
    assert stats.of_round("r1") == [TaskRecord("u", 1, 1, 0), TaskRecord("t", 4, 3, 2)], "the hardest first"
    assert stats.within("r1") == [TaskRecord("t", 2, 2, 1), TaskRecord("u", 1, 1, 0)]
    assert stats.within("r1", "web") == []


def test_counting_again_replaces_what_was_counted(journal: Journal, stats: TaskStats) -> None:
    planned(journal.database, "r", "t")
    ran(journal, "r", "t", "unsolved")
    stats.refresh("r")
    ran(journal, "r", "t", "solved", "solved")
    stats.refresh("r")
    stats.refresh("r")
    assert stats.get("t") == TaskRecord("t", 2, 2, 2)
    with journal.database.read() as connection:
        (row,) = connection.execute(sa.select(task_stats))
    assert (row.pass_rate, row.difficulty) == (1.0, 0.25)


def test_what_nobody_judged_has_no_rate_and_what_was_never_tried_no_record(
    journal: Journal, stats: TaskStats
) -> None:
    planned(journal.database, "r", "judged by nobody", "spoiled")
    ran(journal, "r", "judged by nobody", "unverified")
    ran(journal, "r", "spoiled", "infrastructure_error")
    stats.refresh("r")
    record = stats.get("judged by nobody")
    assert record is not None
    assert (record.pass_rate, record.difficulty) == (None, None)
    assert stats.get("spoiled") is None


@pytest.mark.parametrize(
    ("solved", "verified", "difficulty"),
    [(0, 1, 2 / 3), (1, 1, 1 / 3), (8, 8, 0.1), (0, 8, 0.9), (2, 4, 0.5)],
)
def test_difficulty_is_the_surer_the_more_tries_there_were(
    solved: int, verified: int, difficulty: float
) -> None:
    assert TaskRecord("t", verified, verified, solved).difficulty == pytest.approx(difficulty)
