"""The journal: what is kept, what is asked of it, and the files beside it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adp_resources.database import Database
from adp_resources.journal import Journal
from runtimes.contracts import ExecutionStep, Trajectory, trajectory_from_json
from runtimes.errors import ConfigurationError
from tests.adp_resources.disks import small_disk


def trajectory(task_id: str = "t", **fields: Any) -> Trajectory:
    base: dict[str, Any] = {
        "runtime_id": "sandbox-runtime",
        "round": "r1",
        "task_type": "code",
        "outcome": "unsolved",
        "created_at": 100.0,
    }
    return Trajectory(task_id=task_id, **{**base, **fields})


def mirrored(journal: Journal, name: str = "t.json") -> Trajectory:
    return trajectory_from_json((journal.trajectories / name).read_bytes())


def files(journal: Journal) -> list[str]:
    return sorted(
        str(path.relative_to(journal.trajectories)) for path in journal.trajectories.rglob("*.json")
    )


def test_a_trajectory_is_read_back_as_it_was_written(journal: Journal) -> None:
    step = ExecutionStep(
        step_id=1, action_type="tool_call", success=True, observation="观察", message={"x": 1}
    )
    written = trajectory("任务", steps=[step], extra={"foreign": [1]}, final_result={"a": 1})
    journal.write(written)
    assert list(journal.read_round("r1")) == [written] == [mirrored(journal, "任务.json")]


def test_a_newer_result_of_the_same_sample_replaces_its_row_and_its_file(journal: Journal) -> None:
    journal.write(trajectory(final_result="first"))
    journal.write(trajectory(final_result="second", outcome="solved"))
    assert [t.final_result for t in journal.read_round("r1")] == ["second"]
    assert mirrored(journal).final_result == "second"
    assert files(journal) == ["t.json"]


def test_the_file_holds_the_newest_round_and_the_journal_every_one(journal: Journal) -> None:
    journal.write(trajectory(final_result="old"))
    journal.write(trajectory(final_result="new", round="r2"))
    assert mirrored(journal).final_result == "new"
    assert [t.final_result for t in journal.read_round("r1")] == ["old"]
    found = journal.find("t", round="r1")
    assert found is not None
    assert found.final_result == "old"


def test_one_file_a_task_whatever_the_number_of_samples(journal: Journal) -> None:
    for task_id in ("a", "b"):
        for sample in range(3):
            journal.write(trajectory(task_id, sample=sample, final_result=sample))
    assert files(journal) == [
        *("a.json", "a.samples/1.json", "a.samples/2.json"),
        *("b.json", "b.samples/1.json", "b.samples/2.json"),
    ]
    assert len(list(journal.trajectories.glob("*.json"))) == 2
    assert mirrored(journal, "a.samples/2.json").final_result == 2


def test_our_failure_never_hides_a_result_in_the_files(journal: Journal) -> None:
    journal.write(trajectory(outcome="infrastructure_error", error_message="down"))
    assert mirrored(journal).error_message == "down", "better than nothing"
    journal.write(trajectory(outcome="solved", final_result="good"))
    for outcome in ("infrastructure_error", "cancelled"):
        journal.write(trajectory(outcome=outcome, round="r2"))
        assert mirrored(journal).final_result == "good"
    journal.write(trajectory(outcome="unsolved", final_result="worse", round="r3"))
    assert mirrored(journal).final_result == "worse"


def test_only_finished_samples_of_the_round_and_type_need_no_further_run(journal: Journal) -> None:
    journal.write(trajectory("solved", outcome="solved"))
    journal.write(trajectory("unsolved", sample=2))
    journal.write(trajectory("unverified", outcome="unverified"))
    journal.write(trajectory("ours", outcome="infrastructure_error"))
    journal.write(trajectory("stopped", outcome="cancelled"))
    journal.write(trajectory("other type", task_type="web"))
    journal.write(trajectory("other round", round="r2"))
    assert journal.finished("r1", "code") == {("solved", 0), ("unsolved", 2), ("unverified", 0)}


def test_a_round_is_read_in_the_order_of_task_and_sample(journal: Journal) -> None:
    for task_id, sample in [("b", 0), ("a", 10), ("a", 2)]:
        journal.write(trajectory(task_id, sample=sample))
    journal.write(trajectory("w", task_type="web"))
    assert [(t.task_id, t.sample) for t in journal.read_round("r1", "code")] == [
        ("a", 2),
        ("a", 10),
        ("b", 0),
    ]
    assert len(list(journal.read_round("r1"))) == 4


def test_find_gives_the_newest_or_the_one_that_is_named(journal: Journal) -> None:
    journal.write(trajectory(sample=1, final_result="r1/1"))
    journal.write(trajectory(sample=0, final_result="r2/0", round="r2"))

    def found(*named: Any) -> Any:
        trajectory = journal.find("t", *named)
        return trajectory and trajectory.final_result

    assert found() == "r2/0"
    assert found("r1") == found("r1", 1) == found(None, 1) == "r1/1"
    assert found("r1", 0) is None
    assert journal.find("unknown") is None


def test_ids_are_found_by_a_part_of_them_taken_literally(journal: Journal) -> None:
    for task_id in ("gsm8k-1", "gsm8k-2", "other_1", "otherx1"):
        journal.write(trajectory(task_id))
    assert journal.task_ids_like("gsm") == ["gsm8k-1", "gsm8k-2"]
    assert journal.task_ids_like("r_1") == ["other_1"]
    assert journal.task_ids_like("%") == []


def test_a_round_is_counted_by_outcome_and_failure(journal: Journal) -> None:
    journal.write(trajectory("a", outcome="solved"))
    journal.write(trajectory("b"))
    journal.write(trajectory("c", error_type="timeout"))
    journal.write(
        trajectory("d", outcome="infrastructure_error", error_type="network_error", task_type="web")
    )
    assert journal.outcomes("r1") == Counter(
        {("code", "solved"): 1, ("code", "unsolved"): 2, ("web", "infrastructure_error"): 1}
    )
    ends = journal.ends("r1", "unsolved", "infrastructure_error")
    assert Counter(end.error_type for end in ends) == Counter({None: 1, "timeout": 1, "network_error": 1})
    assert list(journal.ends("r2", "unsolved")) == []
    (interval, *_) = journal.intervals("r1")
    assert interval.ended_at > interval.started_at == 100.0


@pytest.mark.parametrize("database_on_disk", [True, False])
def test_a_full_disk_is_told_and_nothing_done_is_lost(tmp_path: Path, database_on_disk: bool) -> None:
    """Both ways a disk fills: under the database, and under the files beside it."""
    with small_disk(tmp_path / "disk", kilobytes=1024) as disk:
        database = Database(f"sqlite:///{disk if database_on_disk else tmp_path}/adp.sqlite")
        database.upgrade()
        journal = Journal(database, (tmp_path if database_on_disk else disk) / "trajectories")
        written: list[Trajectory] = []

        def fill_up() -> None:
            for number in range(1_000):
                numbers = [hash((number, i)) for i in range(2_000)]
                document = trajectory(f"t-{number:03}", final_result=numbers)
                journal.write(document)
                written.append(document)

        with pytest.raises(ConfigurationError, match=r"full|No space left") as failed:
            fill_up()
        assert "Free disk space" in failed.value.remedy
        assert written
        database.close()
        again = Journal(Database(database.url), journal.trajectories)
        kept = {t.task_id: t for t in again.read_round("r1")}
        for document in written:
            assert kept[document.task_id] == document == mirrored(again, f"{document.task_id}.json")
        assert not list(journal.trajectories.glob("*.tmp"))
        again.database.close()


def test_a_file_is_json_that_any_reader_takes(journal: Journal) -> None:
    journal.write(trajectory(final_result="数"))
    plain = json.loads((journal.trajectories / "t.json").read_text(encoding="utf-8"))
    assert plain["final_result"] == "数"


def test_our_failure_never_replaces_a_finished_row(journal: Journal) -> None:
    journal.write(trajectory(outcome="solved", final_result="good"))
    journal.write(trajectory(outcome="infrastructure_error", error_message="down"))
    assert journal.finished("r1", "code") == {("t", 0)}
    assert [t.final_result for t in journal.read_round("r1")] == ["good"]


def test_text_that_no_file_can_hold_is_kept_with_its_bad_characters_replaced(journal: Journal) -> None:
    journal.write(trajectory(grade_reason="raised \ud800", final_result={"\ud800": ["\udfff"]}))
    (read,) = journal.read_round("r1")
    assert read.grade_reason == "raised ?"
    assert read.final_result == {"?": ["?"]}
