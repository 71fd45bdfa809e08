"""What `adp run` tells of a file's lines that it can run, and does with those whose ids are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from adp_resources.database import Database
from adp_resources.journal import Journal
from tests.adp_service.command import in_this_process, line, project

EXACT = {"kind": "exact", "spec": {"expected": "x"}}


def test_slips_known_ids_and_what_waits_are_told_and_again_runs_the_files_version(
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

    path.write_text(line("a", verifier=EXACT) + line("b", verifier=EXACT))
    second = adp("tasks.jsonl", "--model", "builtin")
    assert "line 1 (a) differs from what the pool has under that id" in second.said
    assert "waits" not in second.said

    (folder / "mended.jsonl").write_text(line("a", verifier=EXACT))
    third = adp("mended.jsonl", "--model", "builtin", "--again")
    assert "mended.jsonl: the pool takes the file's version of a" in third.said
    database = Database(f"sqlite:///{folder}/output/adp.sqlite")
    journal = Journal(database, folder)
    tried = [(t.task_id, t.verified) for n in (1, 2, 3) for t in journal.read_round(f"round-000{n}")]
    database.close()
    assert tried == [("a", False), ("b", True), ("a", True)]
