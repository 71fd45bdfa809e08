"""What the summary says of essences and dataset rows that are fewer than what they could be made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from adp_service.cli import made
from adp_service.platform import Platform
from tests.adp_service.command import project


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv("DAGSTER_HOME", "")  # opening the instance sets it; this undoes that afterwards
    return Platform({"project_root": str(project(tmp_path))})


def materialize(platform: Platform, asset: str, rows: int, **metadata: Any) -> None:
    folder = platform.settings.output / "assets" / asset
    folder.mkdir(parents=True)
    pl.DataFrame({"n": range(rows)}).write_parquet(folder / "r.parquet")
    event = dg.AssetMaterialization(asset, partition="r", metadata=metadata)
    platform.instance.report_runless_asset_event(event)


def test_replies_that_were_no_essences_are_counted(platform: Platform) -> None:
    materialize(platform, "essences", 1, eligible=4, skipped=3)
    assert made.essences(platform, ["r"]) == "1 of 4 (no usable reply: 3)"


def test_solved_episodes_that_are_no_rows_are_counted_with_the_reason(platform: Platform) -> None:
    funnel = {"finished": 40, "verified success": 36, "not judged alone": 36, "not surplus": 35}
    left = {**funnel, "each conversation once": 13, "3 a root seed at most": 12}
    materialize(platform, "training_dataset", 12, funnel=[list(stage) for stage in left.items()])
    said = "12 (exact duplicates: 22, surplus: 1, not 3 a root seed at most: 1)"
    assert made.dataset_rows(platform, ["r"]) == said


def test_a_round_that_made_nothing_has_nothing_to_explain(platform: Platform) -> None:
    assert made.essences(platform, ["r"]) == "0"
    assert made.dataset_rows(platform, ["r"]) == "0"
    assert made.new_tasks(platform, ["r"]) == "0, none was proposed"
