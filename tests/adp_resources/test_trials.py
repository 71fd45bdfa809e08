"""The table of trials: finished ones stay as they are, our failures make way."""

from __future__ import annotations

from adp_resources.database import Database
from adp_resources.trials import FIRST_SAMPLE, Trials
from runtimes.contracts import Outcome, Trajectory


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
        table.write(each)
    table.write(trial("solved", round="another"))
    assert table.finished("r", "t") == kept
    assert table.finished("r", "unknown") == []


def test_a_failure_of_ours_is_no_finished_trial_and_takes_no_ones_place(database: Database) -> None:
    table = Trials(database)
    table.write(trial("infrastructure_error"))
    assert table.finished("r", "t") == []
    table.write(trial("solved"))
    table.write(trial("infrastructure_error"))
    table.write(trial("unsolved"))
    assert [each.outcome for each in table.finished("r", "t")] == ["solved"]
