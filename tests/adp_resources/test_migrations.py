"""Databases of earlier versions, brought up with what they hold."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import adp_resources.migrations
from adp_resources.database import Database
from adp_resources.dead_letters import DeadLetters
from adp_resources.journal import Journal
from adp_resources.tables import candidates, trials
from adp_resources.task_stats import TaskRecord, TaskStats
from runtimes.contracts import Trajectory, trajectory_to_json

ROUND = "INSERT INTO rounds (round, follows, number, samples, max_rounds, driver, planned_at) VALUES "
EPISODE = (
    "INSERT INTO journal (round, task_id, sample, task_type, runtime_id, outcome, finished, error_type,"
    " error_message, steps, prompt_tokens, completion_tokens, started_at, ended_at, attempts, document)"
    " VALUES (:round, :task_id, :sample, 'code', 'x', :outcome, :finished, :error_type, :error_message, 0, 0,"
    " 0, 1.0, 2.0, 3, :document)"
)


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Database]:
    """A database as the first version left it."""
    database = Database(f"sqlite:///{tmp_path}/adp.sqlite")
    bring_to(database, "0001")
    yield database
    database.close()


def bring_to(database: Database, version: str, way: Callable[..., None] = command.upgrade) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(adp_resources.migrations.__file__).parent))
    with database.begin() as connection:
        config.attributes["connection"] = connection
        way(config, version)


def episode(task_id: str, sample: int, outcome: str, **fields: Any) -> dict[str, Any]:
    row = {"round": "r1", "task_id": task_id, "sample": sample, "outcome": outcome, "document": b""}
    row |= {"finished": outcome in {"solved", "unsolved"}, "error_type": None, "error_message": None}
    return row | fields


def test_chains_failures_and_tries_of_old_rounds_are_known(old: Database, tmp_path: Path) -> None:
    with old.begin() as connection:
        for values in ("('r1', NULL, 1", "('r2', 'r1', 2", "('r3', 'r2', 3", "('alone', NULL, 1"):
            connection.execute(sa.text(f"{ROUND}{values}, 1, 3, 'command', 1.0)"))
        connection.execute(
            sa.text(EPISODE),
            [
                episode("t", 0, "solved"),
                episode("t", 1, "unsolved"),
                episode(
                    "u", 0, "infrastructure_error", error_type="network_error", error_message="No server."
                ),
            ],
        )

    old.upgrade()

    with old.read() as connection:
        chains = {
            row.round: row.chain for row in connection.execute(sa.text("SELECT round, chain FROM rounds"))
        }
    assert chains == {"r1": "r1", "r2": "r1", "r3": "r1", "alone": "alone"}
    assert TaskStats(old).get("t") == TaskRecord("t", 2, 2, 1)
    assert TaskStats(old).get("u") is None
    (letter,) = DeadLetters(old).all(["dead"])
    assert (letter.name, letter.error_message, letter.history) == ("r1/u/0", "No server.", ())
    assert Journal(old, tmp_path).acceptance("r1") is None


def test_what_no_dataset_takes_counts_towards_no_old_target(old: Database, tmp_path: Path) -> None:
    bring_to(old, "0004")
    plain = Trajectory(task_id="t", runtime_id="x", outcome="solved", success=True)
    kinds = {
        "plain": plain,
        "judged": msgspec.structs.replace(plain, judged=True),
        "moved": msgspec.structs.replace(plain, metadata={"refs_moved": 2}),
    }
    with old.begin() as connection:
        connection.execute(sa.text(f"{ROUND}('r1', NULL, 1, 1, 3, 'command', 1.0)"))
        connection.execute(sa.text("UPDATE rounds SET accept = 3, chain = round"))
        documents = {name: zlib.compress(trajectory_to_json(each)) for name, each in kinds.items()}
        rows = [episode(name, 0, "solved", document=document) for name, document in documents.items()]
        connection.execute(sa.text(EPISODE), rows)

    old.upgrade()

    state = Journal(old, tmp_path).acceptance("r1")
    assert state is not None
    assert (state.accepted, state.withheld) == (1, 2)


def test_what_was_judged_before_stands_and_is_of_versions_that_nobody_knows(old: Database) -> None:
    bring_to(old, "0006")
    row = (
        "INSERT INTO candidates (round, task_id, parent_id, operator, accepted, gate, reason, spec,"
        " created_at) VALUES ('r1', :task_id, 'p', 'parameter', :accepted, 'trial', '', '{\"a\": 1}', 1.0)"
    )
    with old.begin() as connection:
        rows = [{"task_id": "in", "accepted": True}, {"task_id": "out", "accepted": False}]
        connection.execute(sa.text(row), rows)
        connection.execute(sa.insert(trials_before()), {**TRIAL, "task_id": "in"})

    old.upgrade()

    with old.begin() as connection:
        found = connection.execute(sa.select(candidates).order_by(candidates.c.task_id)).all()
        assert [(row.task_id, row.accepted) for row in found] == [("in", True), ("out", False)]
        assert {(row.gates_version, row.prompt_version) for row in found} == {("", "")}
        assert [row.spec for row in found] == [{"a": 1}] * 2
        assert connection.execute(sa.select(trials.c.task_digest)).scalar() == ""
        undecided = {**found[0]._asdict(), "task_id": "undecided", "accepted": None}
        connection.execute(sa.insert(candidates), undecided)


TRIAL: dict[str, Any] = {
    **{"round": "r1", "sample": 1000, "outcome": "solved", "steps": 1, "prompt_tokens": 0},
    **{"completion_tokens": 0, "seconds": 1.0, "ended_at": 1.0, "document": b""},
}


def trials_before() -> sa.TableClause:
    """The table of trials as it was."""
    return sa.table("trials", *(sa.column(name) for name in ("task_id", *TRIAL)))


def test_going_back_keeps_what_was_decided(database: Database) -> None:
    row = {
        "round": "r1",
        "parent_id": "p",
        "operator": "parameter",
        "gate": "",
        "reason": "",
        "created_at": 1.0,
    }
    with database.begin() as connection:
        rows = [{**row, "task_id": str(accepted), "accepted": accepted} for accepted in (True, False, None)]
        connection.execute(sa.insert(candidates), rows)
    bring_to(database, "0006", command.downgrade)
    with database.read() as connection:
        found = connection.execute(sa.text("SELECT task_id, accepted FROM candidates ORDER BY task_id")).all()
    assert [tuple(row) for row in found] == [("False", 0), ("True", 1)]
    database.upgrade()
