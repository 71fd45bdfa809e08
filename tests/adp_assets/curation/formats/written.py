"""Datasets written by a format, and what the libraries that read them make of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from adp_assets.curation.examples import Demonstration, Episode, Example, Preference
from adp_assets.curation.formats import formats_of
from adp_assets.curation.formats.base import Format, Written
from adp_assets.curation.shapes.conversations import demonstrations, single_replies
from adp_assets.curation.shapes.episodes import episodes
from adp_assets.curation.shapes.preferences import pairs, preferences
from runtimes.contracts import Trajectory
from tests.adp_assets.curation.episodes import differing, many_sided
from tests.adp_assets.curation.rows import STAMP, frame, row
from tests.adp_assets.tasks import solved


def named(name: str) -> Format:
    return formats_of([name])[name]


def whole(*trajectories: Trajectory, split: str = "train") -> list[Demonstration]:
    return list(demonstrations([frame(*(row(each, split=split) for each in trajectories))]))


def replies(*trajectories: Trajectory) -> list[Demonstration]:
    return list(single_replies([frame(*(row(each) for each in trajectories))]))


def recorded(*trajectories: Trajectory) -> list[Episode]:
    rows = frame(*(row(each) for each in trajectories))
    return list(episodes([rows], lambda ids: dict(zip(ids, trajectories, strict=True))))


def preferred() -> list[Preference]:
    """A pair a task, of episodes that begin alike and call with other arguments."""
    good = frame(*(row(each) for each in differing()))
    lost = [
        solved(
            each.task_id, "wrong", sample=1, outcome="unsolved", success=False, reward=0.0, tools=each.tools
        )
        for each in differing()
    ]
    bad = frame(*(row(each) for each in lost))
    rows = {each["id"]: each for batch in (good, bad) for each in batch.iter_rows(named=True)}
    return list(preferences(pairs(good, bad, 1, 0), lambda ids: frame(*(rows[each] for each in ids))))


def sides() -> list[Demonstration]:
    return whole(many_sided())


def written(format: Format, shape: Any, examples: Iterable[Example], folder: Path) -> Written:
    folder.mkdir(exist_ok=True)
    return format.write(shape, examples, folder, STAMP)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def loaded(kind: str, files: Iterable[Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The files as the `datasets` library reads them, offline."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    names = [str(file) for file in sorted(files)]
    return datasets.load_dataset(kind, data_files=names, split="train", cache_dir=str(cache))


def has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(has_null(each) for each in value.values())
    return any(map(has_null, value)) if isinstance(value, list) else value is None
