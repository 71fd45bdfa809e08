"""Formats by name, and what all of them promise."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from adp_assets.curation.examples import Shape
from adp_assets.curation.formats import GROUP, formats_of
from runtimes import plugins
from runtimes.errors import ConfigurationError
from tests.adp_assets.curation.episodes import differing, many_sided
from tests.adp_assets.curation.formats.written import named, preferred, recorded, replies, whole, written
from tests.adp_assets.curation.rows import STAMP, frame, row
from tests.adp_assets.tasks import solved

BOTH = [
    (name, shape)
    for name, shapes in {
        "hf": ("sft", "steps", "preference"),
        "struct": ("sft", "steps", "preference"),
        "sharegpt": ("sft", "steps"),
        "openai-jsonl": ("sft", "steps", "preference"),
        "atif": ("trajectories",),
        "adp": ("trajectories",),
        "seed-json": ("trajectories",),
    }.items()
    for shape in shapes
]


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(("name", "shape"), BOTH)
def test_the_same_examples_give_the_same_bytes(name: str, shape: Shape, tmp_path: Path) -> None:
    episodes = [*differing(), many_sided()]
    makers = {"sft": whole, "steps": replies, "trajectories": recorded}
    for folder in ("first", "second"):
        examples: Any = preferred() if shape == "preference" else makers[shape](*episodes)
        report = written(named(name), shape, examples, tmp_path / folder)
        assert report.rows.total() + report.left_out.total() == len(examples)
        assert report.rows.total() >= 6
    assert digests(tmp_path / "first") == digests(tmp_path / "second") != {}


def test_rows_are_written_as_their_conversations_are(tmp_path: Path) -> None:
    rows = frame(*(row(each) for each in differing()))
    for name in ("hf", "openai-jsonl"):
        folder = tmp_path / name
        folder.mkdir()
        format = named(name)
        report = format.write_rows([rows[:2], rows[2:]], folder, STAMP)
        assert report.rows == {"train": 6}
        written(format, "sft", whole(*differing()), tmp_path / "other")
        assert digests(folder) == digests(tmp_path / "other")
        shutil.rmtree(tmp_path / "other")


def test_a_format_that_is_none_is_told_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match=r"no format 'alpaca'.*hf"):
        formats_of(["hf", "alpaca"])


def test_every_format_holds_some_shape() -> None:
    assert all(format.shapes for format in plugins.load(GROUP).values())


def test_what_no_utf8_file_can_hold_is_replaced(tmp_path: Path) -> None:
    odd = solved("odd", final_result="\ud83d")
    for name in ("atif", "seed-json"):
        report = written(named(name), "trajectories", recorded(odd), tmp_path / name)
        assert report.rows == {"train": 1}
