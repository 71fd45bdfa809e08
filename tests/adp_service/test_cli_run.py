"""`adp import gsm8k` and `adp run` against a model server whose every reply is planned."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from adp_assets.intake.pool import TaskPool
from adp_assets.rounds import Plan, Rounds
from adp_resources.database import Database
from adp_resources.journal import Journal
from adp_service.cli.main import main
from runtimes.contracts import Lineage, Trajectory, trajectory_from_json
from tests.adp_assets.tasks import add, task
from tests.adp_service.command import Ended, adp, project
from tests.llm_server.process import ROOT, llm_server

WORD_PROBLEMS = ROOT / "tests/data/word_problems.jsonl"
GSM8K = Path(os.environ.get("ADP_TEST_DATA", ROOT.parent / "shared/data")) / "gsm8k_test.jsonl"
FATES = {"not_json": "unsolved", "unknown_tool": "unsolved", "empty_message": "unsolved"}
"""What becomes of a malformed reply, by its fault; half a body, the one not here, is no reply at all."""


@dataclass(frozen=True)
class Campaign:
    """One run over a file of word problems: the folder, what was planned, and what was said."""

    folder: Path
    count: int
    plan: dict[str, str]
    malformed: dict[str, str]
    imported: Ended
    ran: Ended

    def expected(self) -> dict[str, str]:
        """The planned outcome of each question."""
        fates = {"right": "solved", "e429": "solved", "wrong": "unsolved", "e500": "infrastructure_error"}
        return {
            question: fates.get(kind) or FATES.get(self.malformed[question], "infrastructure_error")
            for question, kind in list(self.plan.items())[: self.count]
        }

    def trajectories(self) -> dict[str, Trajectory]:
        """What the journal holds, by question."""
        database = Database(f"sqlite:///{self.folder}/output/adp.sqlite")
        found = {t.prompt[-1]["content"]: t for t in Journal(database, self.folder).read_round("round-0001")}
        database.close()
        return found

    def dataset(self) -> pl.DataFrame:
        files = self.folder / "output" / "datasets" / "round-0001" / "split=*" / "*.parquet"
        return pl.read_parquet(files, hive_partitioning=False)


def campaign(folder: Path, problems: Path, count: int, mix: str) -> Campaign:
    with llm_server("gsm8k", answers=problems, mix=mix) as server:
        project(folder, VLLM_URL=server.url)
        imported = adp(folder, "import", "gsm8k", problems, "--limit", count, "--out", "tasks.jsonl")
        ran = adp(folder, "run", "tasks.jsonl")
        return Campaign(folder, count, server.plan(), server.malformed(), imported, ran)


@pytest.fixture(scope="module", params=["word problems", "gsm8k"])
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    folder = tmp_path_factory.mktemp("campaign")
    if request.param == "word problems":
        yield campaign(folder, WORD_PROBLEMS, 8, "right=2,wrong=1,malformed=3,e429=1,e500=1")
    elif GSM8K.exists():
        yield campaign(folder, GSM8K, 50, "right=60,wrong=20,malformed=10,e429=5,e500=5")
    else:
        pytest.skip(f"no {GSM8K}: set ADP_TEST_DATA to the folder that holds gsm8k_test.jsonl")


def test_importing_writes_one_task_a_problem(done: Campaign) -> None:
    assert done.imported.code == 0
    assert f"{done.count} tasks of {done.count} rows, 0 rejected" in done.imported.said
    tasks = [json.loads(text) for text in (done.folder / "tasks.jsonl").read_text().splitlines()]
    assert [task["description"] for task in tasks] == list(done.plan)[: done.count]
    assert {task["verifier"]["kind"] for task in tasks} == {"numeric"}
    assert len({task["task_id"] for task in tasks}) == done.count


def test_every_task_ends_as_its_replies_were_planned(done: Campaign) -> None:
    assert done.ran.code == 0, done.ran.said
    found = done.trajectories()
    assert {question: t.outcome for question, t in found.items()} == done.expected()


def test_our_failures_carry_their_cause_and_are_neither_success_nor_verified(done: Campaign) -> None:
    failed = [t for t in done.trajectories().values() if t.outcome == "infrastructure_error"]
    assert failed
    for trajectory in failed:
        assert (trajectory.success, trajectory.verified, trajectory.reward) == (False, False, None)
        assert trajectory.error_type == "network_error"
        assert "in 3 tries" in str(trajectory.error_message)


def test_the_dataset_holds_the_solved_tasks_and_no_other(done: Campaign) -> None:
    solved = {q for q, outcome in done.expected().items() if outcome == "solved"}
    rows = done.dataset()
    assert {json.loads(messages)[1]["content"] for messages in rows["messages"]} == solved
    assert rows.height == len(solved)


def test_every_task_has_its_trajectory_file(done: Campaign) -> None:
    files = list((done.folder / "output" / "trajectories").glob("*.json"))
    read = {t.prompt[-1]["content"]: t for t in (trajectory_from_json(path.read_bytes()) for path in files)}
    assert {question: t.outcome for question, t in read.items()} == done.expected()


def test_the_summary_counts_what_came_of_the_round(done: Campaign) -> None:
    outcomes = list(done.expected().values())
    lines = [" ".join(text.split()) for text in done.ran.output.splitlines()]
    assert f"tasks {done.count} ({done.count} episodes)" in lines
    assert f"solved {outcomes.count('solved')}" in lines
    failed = [text for text in lines if text.startswith("failed")]
    spoiled = outcomes.count("infrastructure_error")
    assert failed[0].startswith(f"failed {done.count - outcomes.count('solved') - spoiled} (")
    place = lines.index(f"infrastructure {spoiled} (network_error: {spoiled})")
    assert lines[place + 1].startswith("last: ")
    assert "verifier said no: " in failed[0]
    assert "unverified 0" in lines
    assert "model test-model (vllm)" in lines


def test_status_and_show_tell_of_the_round(
    done: Campaign, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(done.folder)
    monkeypatch.setenv("DAGSTER_HOME", "")  # the command sets it; this undoes that afterwards

    def said(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["adp", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return capsys.readouterr().out

    status = said("status")
    assert "round-0001" in status
    assert "complete" in status
    task_id = next(t.task_id for t in done.trajectories().values() if t.outcome == "solved")
    assert json.loads(said("show", task_id, "--json"))["task_id"] == task_id
    shown = said("show", f"round-0001/{task_id}/0")
    assert "complete_task" in shown
    assert "numeric: the answer's number is the expected one" in shown


def test_what_failed_by_our_fault_is_a_dead_letter_until_a_person_puts_it_back(done: Campaign) -> None:
    before = done.trajectories()
    failed = {question for question, t in before.items() if t.outcome == "infrastructure_error"}
    problems = WORD_PROBLEMS if done.count == 8 else GSM8K
    with llm_server("gsm8k", answers=problems, mix="right=1") as server:
        project(done.folder, VLLM_URL=server.url)
        left_alone = adp(done.folder, "run", "tasks.jsonl")
        assert server.stats()["replies"] == {}
        listed = adp(done.folder, "dlq", "list")
        put_back = adp(done.folder, "dlq", "retry", "--all")
        again = adp(done.folder, "run", "tasks.jsonl")
        asked = server.stats()
        last = adp(done.folder, "run", "tasks.jsonl")
        of_a_type = adp(done.folder, "run", "tasks.jsonl", "--type", "web")
        assert server.stats() == asked
    assert f"dead letters {len(failed)}, see `adp dlq list`" in " ".join(done.ran.output.split())
    assert listed.output.count("round-0001/") == len(failed)
    assert f"{len(failed)} put back" in put_back.output
    assert again.code == 0, again.said
    assert f"Going on with round round-0001: {len(failed)} dead letters are tried again." in again.said
    after = done.trajectories()
    assert {after[question].outcome for question in failed} == {"solved"}
    assert {q: t for q, t in after.items() if q not in failed} == {
        q: t for q, t in before.items() if q not in failed
    }
    assert "No dead letters." in adp(done.folder, "dlq", "list", "--all").output
    for ended in (left_alone, last, of_a_type):
        assert ended.code == 0, ended.said
        assert f"Nothing to do: all {done.count} tasks" in ended.output


def test_a_round_that_fails_each_time_does_not_keep_new_tasks_waiting(tmp_path: Path) -> None:
    question = json.loads(WORD_PROBLEMS.read_text().splitlines()[0])["question"]
    file = tmp_path / "tasks.jsonl"
    file.write_text(json.dumps({"task_id": "new", "task_type": "code", "description": question}) + "\n")
    (tmp_path / "output").mkdir()
    database = Database(f"sqlite:///{tmp_path}/output/adp.sqlite")
    database.upgrade()
    rootless = Lineage(root_id="old", generation=1, source=str(file))
    add(TaskPool(database), task("old", lineage=rootless))
    Rounds(database).plan("round-0001", Plan(driver="command", max_rounds=1))
    with llm_server("gsm8k", answers=WORD_PROBLEMS, mix="right=1") as server:
        project(tmp_path, VLLM_URL=server.url)
        ran = adp(tmp_path, "run", "tasks.jsonl")
    assert ran.code == 1, ran.said
    assert "Round round-0001 failed again; other work goes on." in ran.said
    found = [t.task_id for t in Journal(database, tmp_path).read_round("round-0002")]
    database.close()
    assert found == ["new"], ran.said
