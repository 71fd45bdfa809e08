"""`adp export` says by whom the rows of a release were made."""

from __future__ import annotations

from pathlib import Path

import pytest

from adp_assets.curation.select import select
from tests.adp_assets.tasks import solved, task
from tests.adp_service.command import in_this_process, project


def test_rows_are_counted_by_teacher_and_the_built_in_ones_are_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(tmp_path / "p")
    teachers = {"a": "builtin", "b": "builtin", "c": "gemini"}
    found = [solved(name, name, teacher=teacher) for name, teacher in teachers.items()]
    rows = select(found, {name: task(name) for name in teachers}).rows
    kept = folder / "output" / "assets" / "training_dataset" / "round-0001.parquet"
    kept.parent.mkdir(parents=True)
    rows.write_parquet(kept)
    ended = in_this_process("export", folder, monkeypatch, capsys)("first")
    assert ended.code == 0, ended.said
    lines = [" ".join(text.split()) for text in ended.output.splitlines()]
    assert "made by builtin / gemini-1: 2" in lines
    assert "gemini / gemini-1: 1" in lines
    assert "2 of 3 rows are the built-in teacher's" in ended.said
    card = (folder / "output" / "releases" / "first" / "README.md").read_text()
    assert "Built-in teacher" in card
