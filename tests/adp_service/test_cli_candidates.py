"""`adp candidates`: what a person sees of what was proposed and why it was refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adp_assets.intake.pool import TaskPool
from adp_assets.mutation.gates.base import Judgement, Verdict
from adp_assets.mutation.table import CandidateTable
from adp_assets.rounds import Plan, Rounds
from adp_service.platform import Platform
from tests.adp_assets.mutation.candidates import candidate
from tests.adp_assets.tasks import add, task
from tests.adp_service.command import in_this_process, project


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `adp candidates` in a project with two rounds and four candidates."""
    project(tmp_path)
    platform = Platform({"project_root": str(tmp_path)})
    add(TaskPool(platform.database), task("a"), task("b"))
    for name in ("round-0001", "round-0002"):
        Rounds(platform.database).plan(name, Plan(size=1))
    table = CandidateTable(platform.database)
    passed = Verdict("schema", True, "", 0.001)
    copy = Judgement(
        candidate(task("copy")), [passed, Verdict("novelty", False, "a near copy of a")], "novelty"
    )
    good = Judgement(candidate(task("good")), [passed], "trial", accepted=True)
    silent = Judgement(candidate(None), [Verdict("schema", False, "no [JSON]")], "schema")
    table.keep("round-0001", [copy, good])
    down = Judgement(candidate(task("down")), [passed], "trial", undecided="No server answers.")
    table.keep("round-0002", [silent, down])
    return in_this_process("candidates", tmp_path, monkeypatch, capsys)


def test_all_candidates_are_listed_with_the_gate_and_its_reason(said: Any) -> None:
    output = " ".join(said().output.split())
    for words in ("copy", "novelty a near copy of a", "good", "schema no [JSON]"):
        assert words in output
    assert "(undecided) No server answers." in output
    assert "4 candidates: 1 accepted, 1 undecided, rejected by " in output


def test_a_candidate_that_was_let_in_is_not_shown_as_refused(said: Any) -> None:
    [row] = [text for text in said().output.splitlines() if text.startswith("good")]
    assert row.split() == ["good", "round-0001", "(accepted)"]


@pytest.mark.parametrize("terminal", [True, False])
def test_long_ids_stay_whole_on_one_line(
    tmp_path: Path,
    said: Any,
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
) -> None:
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    name = "a-task-with-an-id-of-a-good-length-" * 2
    because = "its wording is too near that of another task that the pool has had"
    table = CandidateTable(Platform({"project_root": str(tmp_path)}).database)
    refused = Verdict("novelty", False, because)
    table.keep("round-0002", [Judgement(candidate(task(name)), [refused], "novelty")])
    output = said("round-0002").output
    assert name in output
    assert (because in output) is not terminal


def test_they_are_chosen_by_round_gate_and_verdict(said: Any) -> None:
    assert "good" not in said("round-0001", "--rejected").output
    assert "1 candidates: 0 accepted, rejected by novelty 1" in said("--gate", "novelty").output
    assert said("round-0002", "--gate", "novelty").output == "No candidates.\n"
    assert "1 candidates: 0 accepted, 1 undecided\n" in said("--undecided").output
    assert "--rejected and --undecided exclude one another" in said("--rejected", "--undecided").said


def test_as_json_they_have_every_verdict_and_the_task(said: Any) -> None:
    (found,) = json.loads(said("--gate", "novelty", "--json").output)
    assert [verdict["gate"] for verdict in found["verdicts"]] == ["schema", "novelty"]
    assert (found["accepted"], found["spec"]["task_id"], found["parents"]) == (False, "copy", ["seed"])


def test_an_unknown_round_is_said_with_those_there_are(said: Any) -> None:
    ended = said("round-9")
    assert ended.code == 1
    assert "There is no round 'round-9'" in ended.said
    assert "round-0001, round-0002" in ended.said
