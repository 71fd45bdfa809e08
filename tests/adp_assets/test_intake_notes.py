"""What is told of a task that can be run, but hardly as its author meant it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adp_assets.intake.notes import Notes
from adp_assets.intake.pool import TaskPool
from adp_assets.intake.task_files import TaskFiles
from runtimes.contracts import task_from_json
from runtimes.tools.toolbox import Ruling, Toolbox

NOTES = Notes(Toolbox(rulings={"web_search": Ruling(is_active=False, reason="no SEARCH_URL")}))
EXACT = {"kind": "exact", "spec": {"expected": "x"}}


def line(**fields: Any) -> bytes:
    return json.dumps({"task_type": "web", "description": "Look.", **fields}).encode()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"verifer": EXACT}, "unknown field `verifer`, did you mean `verifier`?"),
        ({"Constraints": {}}, "unknown field `Constraints`, did you mean `constraints`?"),
        ({"constraints": {"starturl": "http://a.test/"}}, "`starturl`, did you mean `start_url`?"),
        ({"constraints": {"color": "red"}}, "unknown constraint `color`, which nothing reads: start_url"),
        ({"expected_tools": ["browsr"]}, "not have the tool browsr: did you mean `browser`?"),
        ({"expected_tools": ["magic"]}, "not have the tool magic: see `adp tools list`"),
        ({"expected_tools": ["web_search"]}, "not have the tool web_search (no SEARCH_URL)"),
    ],
)
def test_what_is_likely_a_slip_is_told(fields: dict[str, Any], told: str) -> None:
    content = line(**fields)
    (said,) = NOTES.of(content, task_from_json(content))
    assert told in said


def test_foreign_fields_and_all_that_is_known_are_no_slip() -> None:
    content = line(
        difficulty=3,
        question_id="q1",
        constraints={"start_url": "http://a.test/"},
        expected_tools=["browser"],
    )
    task = task_from_json(content)
    assert NOTES.of(content, task) == []
    assert task.metadata["difficulty"] == 3


def test_a_file_tells_each_slip_once_with_its_lines_and_takes_all_in(pool: TaskPool, tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    lines = [line(task_id=f"t{n}", verifer=EXACT) for n in range(3)] + [line(task_id="good", verifier=EXACT)]
    path.write_bytes(b"\n".join(lines))
    report = TaskFiles(pool, tmp_path / "rejected", notes=NOTES).read(path)
    assert report.accepted == ["t0", "t1", "t2", "good"]
    assert report.notes == {"unknown field `verifer`, did you mean `verifier`?": [1, 2, 3]}
    assert report.without_verifier == 3
