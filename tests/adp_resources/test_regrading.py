"""New verdicts in the journal: rows and files change together, and only what is still as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adp_resources.database import Database
from adp_resources.journal import Journal
from adp_resources.regrading import decide_votes
from runtimes.contracts import Grade, TaskSpec, Trajectory, Verifier
from runtimes.errors import ConfigurationError
from tests.adp_resources.disks import small_disk

GOOD = Grade(verifier="numeric", reward=1.0, reason="right")
BAD = Grade(verifier="numeric", reward=0.0, reason="wrong")


def written(journal: Journal, round: str = "r1", grade: Grade | None = BAD, **fields: Any) -> Trajectory:
    """One that was written, as the journal gives it back."""
    trajectory = Trajectory(task_id="t", runtime_id="r", task_type="code", round=round, **fields)
    journal.write(trajectory.graded(grade))
    return journal.samples(round, "t")[trajectory.sample]


def test_row_and_file_have_the_new_verdict_and_the_end_of_the_episode_stays(journal: Journal) -> None:
    old = written(journal)
    before = journal.intervals("r1")
    assert journal.replace_verdict(old, old.graded(GOOD))
    assert journal.samples("r1", "t") == [old.graded(GOOD)]
    assert journal.outcomes("r1") == {("code", "solved"): 1}
    assert journal.intervals("r1") == before
    assert json.loads((journal.trajectories / "t.json").read_text())["outcome"] == "solved"


def test_what_changed_meanwhile_stays(journal: Journal) -> None:
    old = written(journal)
    newer = msgspec.structs.replace(old, final_result="another")
    journal.write(newer)
    assert not journal.replace_verdict(old, old.graded(GOOD))
    assert journal.samples("r1", "t") == [newer]
    gone = msgspec.structs.replace(old, task_id="u")
    assert not journal.replace_verdict(gone, gone.graded(GOOD))


def test_the_file_of_a_newer_round_stays(journal: Journal) -> None:
    old = written(journal)
    written(journal, "r2")
    assert journal.replace_verdict(old, old.graded(GOOD))
    shown = json.loads((journal.trajectories / "t.json").read_text())
    assert (shown["round"], shown["outcome"]) == ("r2", "unsolved")


def test_a_file_that_cannot_be_written_leaves_the_row_as_it_was(database: Database, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=256) as disk:
        journal = Journal(database, disk)
        old = written(journal, final_result="x" * 30_000)
        (disk / "filler").write_bytes(bytes(200 << 10))
        with pytest.raises(ConfigurationError):
            journal.replace_verdict(old, old.graded(GOOD))
        assert journal.samples("r1", "t") == [old]
        assert json.loads((disk / "t.json").read_text())["outcome"] == "unsolved"


def test_rounds_and_tasks_are_found_by_either(journal: Journal) -> None:
    written(journal)
    written(journal, "r2", sample=0)
    assert journal.tasks() == [("r1", "t"), ("r2", "t")]
    assert journal.tasks(round="r2") == [("r2", "t")]
    assert journal.tasks(task_id="t") == [("r1", "t"), ("r2", "t")]
    assert journal.tasks(task_id="u") == []


def test_votes_of_a_round_are_decided_once_all_samples_are_there(journal: Journal) -> None:
    task = TaskSpec(
        task_type="code", description="?", task_id="t", verifier=Verifier("agreement", {"samples": 3})
    )
    for number, answer in enumerate(("7", "7")):
        written(journal, grade=None, sample=number, final_result=answer)
    decide_votes(journal, "r1", [task])
    assert journal.outcomes("r1") == {("code", "unverified"): 2}
    written(journal, grade=None, sample=2, final_result="8")
    assert decide_votes(journal, "r1", [task]) == 3
    assert journal.outcomes("r1") == {("code", "solved"): 2, ("code", "unsolved"): 1}
    assert decide_votes(journal, "r1", [task]) == 0
    graded_alone = TaskSpec(
        task_type="code", description="?", task_id="t", verifier=Verifier("exact", {"expected": "8"})
    )
    assert decide_votes(journal, "r1", [graded_alone]) == 0
