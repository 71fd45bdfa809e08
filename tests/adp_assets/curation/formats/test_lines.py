"""JSON lines: one file a split, and another where the first is full."""

from __future__ import annotations

from pathlib import Path

from adp_assets.curation.formats.lines import JsonLines
from tests.adp_assets.curation.formats.written import lines


def test_a_file_that_would_grow_too_large_is_followed_by_another(tmp_path: Path) -> None:
    with JsonLines(tmp_path, file_bytes=40) as out:
        for number in range(7):
            out.add("train", {"number": number})
        out.add("test", {"text": "长" * 50})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "test.jsonl",
        "train-00001.jsonl",
        "train-00002.jsonl",
        "train.jsonl",
    ]
    order = ("train.jsonl", "train-00001.jsonl", "train-00002.jsonl")
    assert [line["number"] for name in order for line in lines(tmp_path / name)] == list(range(7))
    assert lines(tmp_path / "test.jsonl") == [{"text": "长" * 50}]
    assert all((tmp_path / name).stat().st_size <= 40 for name in order)
