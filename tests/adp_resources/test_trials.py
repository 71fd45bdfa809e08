"""The table of trials: finished ones stay as they are, our failures make way."""

from __future__ import annotations

from adp_assets.intake.pool import TaskPool
from adp_resources.database import Database
from adp_resources.trials import FIRST_SAMPLE, Trials
from runtimes.contracts import Outcome, Trajectory, Verifier
from tests.adp_assets.tasks import add, task

TASK = task("t")


def trial(outcome: Outcome, sample: int = FIRST_SAMPLE, round: str = "r") -> Trajectory:
    return Trajectory(
        task_id="t",
        runtime_id="sandbox-runtime",
        round=round,
        sample=sample,
        outcome=outcome,
        success=outcome == "solved",
        created_at=1.0,
    )


def test_finished_trials_come_back_whole_by_their_sample(database: Database) -> None:
    table = Trials(database)
    kept = [trial("unsolved", FIRST_SAMPLE), trial("solved", FIRST_SAMPLE + 1)]
    for each in reversed(kept):
        table.write(TASK, each)
    table.write(TASK, trial("solved", round="another"))
    assert table.finished("r", TASK) == kept
    assert table.finished("r", task("unknown")) == []


def test_a_failure_of_ours_is_no_finished_trial_and_takes_no_ones_place(database: Database) -> None:
    table = Trials(database)
    table.write(TASK, trial("infrastructure_error"))
    assert table.finished("r", TASK) == []
    table.write(TASK, trial("solved"))
    table.write(TASK, trial("infrastructure_error"))
    table.write(TASK, trial("unsolved"))
    assert [each.outcome for each in table.finished("r", TASK)] == ["solved"]


def test_trials_are_of_the_task_that_ran_and_not_of_another_under_its_id(database: Database) -> None:
    table = Trials(database)
    other = task("t", description="Quite another wording.")
    table.write(TASK, trial("solved"))
    assert table.finished("r", other) == []
    table.write(other, trial("unsolved"))
    assert [each.outcome for each in table.finished("r", other)] == ["unsolved"]
    assert table.finished("r", TASK) == []


def test_a_task_is_the_same_after_it_was_in_the_database(database: Database) -> None:
    table, pool = Trials(database), TaskPool(database)
    add(pool, task("t", verifier=Verifier("numeric", {"expected": 6.0}), metadata={"b": 1, "a": ["π"]}))
    kept = pool.get("t")
    assert kept is not None
    table.write(
        task("t", verifier=Verifier("numeric", {"expected": 6.0}), metadata={"b": 1, "a": ["π"]}),
        trial("solved"),
    )
    assert len(table.finished("r", kept)) == 1
