"""Frames as Parquet files: what is kept, how one is replaced, and what a missing one says."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from adp_resources.parquet import SCHEMA_VERSION, ParquetIOManager, write_frame
from adp_resources.settings_resource import SettingsResource
from runtimes.errors import ConfigurationError
from tests.adp_resources.disks import small_disk

ROUNDS = dg.DynamicPartitionsDefinition(name="rounds")
SCHEMA = {"id": pl.String(), "parents": pl.List(pl.String()), "score": pl.Float64()}


@dg.asset(partitions_def=ROUNDS)
def made() -> pl.DataFrame:
    return pl.DataFrame([{"id": "数", "parents": ["a", "b"], "score": None}], schema=SCHEMA)


@dg.asset(partitions_def=ROUNDS)
def read(made: pl.DataFrame) -> pl.DataFrame:
    return made.with_columns(pl.lit(1.0).alias("score"))


def materialize(folder: Path, selection: list[dg.AssetsDefinition]) -> dg.ExecuteInProcessResult:
    settings = SettingsResource(overrides={"project_root": str(folder)})
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("rounds", ["round-0001"])
    return dg.materialize(
        [made, read],
        selection=selection,
        instance=instance,
        partition_key="round-0001",
        resources={"io_manager": ParquetIOManager(settings=settings)},
        raise_on_error=False,
    )


def test_a_frame_goes_through_a_file_of_its_round_unchanged(tmp_path: Path) -> None:
    result = materialize(tmp_path, [made, read])
    assert result.success
    path = tmp_path / "output" / "assets" / "made" / "round-0001.parquet"
    assert pl.read_parquet(path).schema == pl.Schema(SCHEMA)
    assert result.output_for_node("read")["parents"].to_list() == [["a", "b"]]
    kept = pl.read_parquet_metadata(path)
    assert (kept["schema_version"], kept["asset"]) == (SCHEMA_VERSION, "made")
    assert kept["run_id"] == result.run_id


def test_what_the_ui_shows_of_a_frame_are_its_rows_columns_and_path(tmp_path: Path) -> None:
    result = materialize(tmp_path, [made])
    (event,) = result.asset_materializations_for_node("made")
    assert event.metadata["dagster/row_count"].value == 1
    columns = event.metadata["dagster/column_schema"].value
    assert [column.name for column in columns.columns] == list(SCHEMA)  # type: ignore[union-attr]


def test_an_input_that_is_not_there_is_named_with_its_round(tmp_path: Path) -> None:
    result = materialize(tmp_path, [read])
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "made of round 'round-0001' is not there" in str(failure.step_failure_data)


def test_a_full_disk_is_named_and_the_old_frame_stands(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=128) as disk:
        write_frame(pl.DataFrame({"a": [1]}), disk / "f.parquet", {})
        big = pl.DataFrame({"a": pl.int_range(200_000, eager=True).shuffle(seed=1)})
        with pytest.raises(ConfigurationError, match=r"f\.parquet cannot be written.*No space left"):
            write_frame(big, disk / "f.parquet", {})
        assert [path.name for path in disk.iterdir()] == ["f.parquet"]
        assert pl.read_parquet(disk / "f.parquet")["a"].to_list() == [1]
