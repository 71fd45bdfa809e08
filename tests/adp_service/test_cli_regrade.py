"""`adp regrade` on rounds that `adp run` ran: new verdicts, datasets that follow, and no agent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.adp_service.command import Ended, adp, in_this_process, line, project
from tests.llm_server.process import ROOT

Regrade = Callable[..., Ended]


def examples(*names: str) -> list[dict[str, Any]]:
    """As many of the bundled tasks of code, named so."""
    lines = (ROOT / "examples" / "tasks.jsonl").read_text().splitlines()
    tasks = [json.loads(each) for each in lines if '"task_type": "code"' in each]
    return [{**task, "task_id": name} for task, name in zip(tasks, names, strict=False)]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project where the built-in teacher did two tasks of code and one by vote, three times each."""
    folder = project(tmp_path_factory.mktemp("regrade"), TEACHER_ERROR_RATE=0, MAX_SUCCESS_RATE=1)
    tasks = examples("one", "two", "voted")
    tasks[2]["verifier"] = {"kind": "agreement", "spec": {"samples": 3}}
    (folder / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    ran = adp(folder, "run", "tasks.jsonl", "--model", "builtin", "--samples", 3)
    assert ran.code == 0, ran.said
    return folder


def with_verifier(folder: Path, task_id: str, kind: str, **spec: Any) -> Path:
    """A task file with this task and another verifier."""
    lines = (folder / "tasks.jsonl").read_text().splitlines()
    task = next(json.loads(each) for each in lines if json.loads(each)["task_id"] == task_id)
    path = folder / f"{task_id}-{kind}.jsonl"
    path.write_text(json.dumps({**task, "verifier": {"kind": kind, "spec": spec}}) + "\n")
    return path


@pytest.fixture
def regraded(done: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Regrade:
    """Runs `adp regrade` in this process, which is sooner there."""
    return in_this_process("regrade", done, monkeypatch, capsys)


def found(ended: Ended) -> list[dict[str, Any]]:
    """The findings of a command with --json."""
    assert ended.code == 0, ended.said
    return list(json.loads(ended.output))


def outcome(folder: Path, task_id: str) -> str:
    return str(json.loads((folder / f"output/trajectories/{task_id}.json").read_text())["outcome"])


def test_a_round_with_work_left_loses_the_row_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(tmp_path, TEACHER_ERROR_RATE=0, MAX_SUCCESS_RATE=1)
    (folder / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in examples("one", "two")))
    ran = adp(folder, "run", "tasks.jsonl", "--model", "builtin", "--accept", 1)
    assert ran.code == 0, ran.said
    (accepted,) = released(folder)
    changed = with_verifier(folder, accepted, "exact", expected="nobody says this")

    regraded = in_this_process("regrade", folder, monkeypatch, capsys)

    assert [each["is"] for each in found(regraded("--json", "--tasks", changed))] == ["unsolved"]
    assert released(folder) == set()
    assert [path.stem for path in (folder / "output/trajectories").iterdir()] == [accepted]


def released(folder: Path) -> set[str]:
    files = sorted((folder / "output/datasets/round-0001").glob("split=*/*.parquet"))
    return set(pl.concat([pl.read_parquet(file, columns=["task_id"]) for file in files])["task_id"])


def test_votes_are_counted_when_a_round_has_run(done: Path) -> None:
    assert outcome(done, "voted") == "solved"
    assert {"one", "voted"} <= released(done)


def test_the_same_verifiers_change_nothing(regraded: Regrade) -> None:
    verdicts = found(regraded("--json"))
    assert len(verdicts) == 9
    assert not any(each["changed"] for each in verdicts)


def test_a_changed_verifier_changes_verdicts_files_and_datasets_once_it_is_no_dry_run(
    done: Path, regraded: Regrade
) -> None:
    changed = with_verifier(done, "one", "exact", expected="nobody says this")
    before = (done / "output/trajectories/one.json").read_bytes()
    dry = found(regraded("--json", "--tasks", changed, "--dry-run"))
    assert [(each["changed"], each["was"], each["is"]) for each in dry] == [(True, "solved", "unsolved")] * 3
    assert (done / "output/trajectories/one.json").read_bytes() == before
    assert {each["changed"] for each in found(regraded("--json", "one"))} == {False}, "the pool is as it was"

    ended = adp(done, "regrade", "--json", "--tasks", changed)
    assert [each["changed"] for each in found(ended)] == [True] * 3
    assert outcome(done, "one") == "unsolved"
    assert "one" not in released(done)
    grades = json.loads((done / "output/trajectories/one.json").read_text())["metadata"]["grades"]
    assert [grade["outcome"] for grade in grades] == ["solved"]
    assert {each["changed"] for each in found(regraded("--json", "one"))} == {False}, (
        "the pool has the new one"
    )


def test_it_says_what_would_change_and_what_cannot_be_graded_again(done: Path, regraded: Regrade) -> None:
    changed = with_verifier(done, "two", "numeric", expected=1)
    said = regraded("two", "--tasks", changed, "--dry-run")
    assert said.code == 0, said.said
    assert "would change  3" in said.output
    assert "Nothing was changed" in said.said
    page = with_verifier(done, "two", "page_state", url="http://shop.test/", locator="h1", expected="x")
    said = regraded("--tasks", page, "--dry-run")
    assert "needs the page as the episode left it" in said.output


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("round-0009", None, "No round or task 'round-0009'"),
        ("one", line("one", verifier={"kind": "exact"}), "wrong.jsonl:1"),
        ("one", "not json\n", "wrong.jsonl:1"),
        ("one", line("other", verifier={"kind": "exact", "spec": {"expected": "x"}}), "wrong.jsonl"),
    ],
)
def test_a_wrong_name_or_file_is_named(
    done: Path, regraded: Regrade, name: str, text: str | None, complaint: str
) -> None:
    arguments: list[object] = [name]
    if text is not None:
        (done / "wrong.jsonl").write_text(text)
        arguments += ["--tasks", "wrong.jsonl"]
    ended = regraded(*arguments)
    assert ended.code == 1
    assert complaint in ended.said
