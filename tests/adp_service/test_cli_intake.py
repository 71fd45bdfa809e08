"""What `adp run` tells of a file's lines that it can run, and does with those whose ids are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from adp_assets.intake.task_files import IntakeReport
from adp_resources.database import Database
from adp_resources.journal import Journal
from adp_service.cli.intake import print_intake_notes
from tests.adp_service.command import in_this_process, line, project

EXACT = {"kind": "exact", "spec": {"expected": "x"}}


def test_what_is_known_under_an_id_is_told_with_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    known = [(number, f"t{number}") for number in range(1, 8)]
    report = IntakeReport(Path("tasks.jsonl"), duplicates=known, differing=known, without_verifier=2_000)
    print_intake_notes(report)
    differing, unverified = capsys.readouterr().err.splitlines()
    assert "line 5 (t5) and 2 more differ from what the pool has" in differing
    assert "--again runs the file's version" in differing
    assert "2,000 tasks without a verifier" in unverified


def test_slips_and_what_waits_are_told_and_again_runs_the_files_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(tmp_path / "p", FEEDBACK_ENABLED="false")
    adp = in_this_process("run", folder, monkeypatch, capsys)
    path = folder / "tasks.jsonl"
    path.write_text(line("a", verifer=EXACT) + line("b", verifier=EXACT))
    first = adp("tasks.jsonl", "--model", "builtin", "--max-tasks", 1)
    assert "tasks.jsonl: line 1: unknown field `verifer`, did you mean `verifier`?" in first.said
    assert "tasks.jsonl: 1 task without a verifier" in first.said
    assert "1 task of tasks.jsonl waits: run again" in first.said

    (folder / "mended.jsonl").write_text(line("a", verifier=EXACT))
    second = adp("mended.jsonl", "--model", "builtin", "--again")
    assert "mended.jsonl: the pool takes the file's version of a" in second.said
    assert "waits" not in second.said
    database = Database(f"sqlite:///{folder}/output/adp.sqlite")
    journal = Journal(database, folder)
    tried = [(t.task_id, t.verified) for n in (1, 2) for t in journal.read_round(f"round-000{n}")]
    database.close()
    assert tried == [("a", False), ("a", True)]
