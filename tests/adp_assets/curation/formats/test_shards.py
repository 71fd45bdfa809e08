"""Parquet in shards: cut by bytes, the same whatever the batches were, with what they say of themselves."""

from __future__ import annotations

from pathlib import Path
from random import Random

import duckdb
import polars as pl
import pytest

from adp_assets.curation.formats.base import SCHEMA_VERSION
from adp_assets.curation.formats.shards import ParquetShards
from tests.adp_assets.curation.rows import STAMP
from tests.adp_resources.disks import small_disk

SCHEMA = {"id": pl.String(), "messages": pl.String(), "steps": pl.Int64()}


def rows(count: int, characters: int = 100) -> pl.DataFrame:
    """Rows that no compression makes much smaller."""
    random = Random(1)
    texts = [f'["{random.randbytes(characters // 2).hex()}"]' for _ in range(count)]
    return pl.DataFrame({"id": map(str, range(count)), "messages": texts, "steps": 3}, schema=SCHEMA)


def shards(folder: Path, shard_bytes: int = 10_000, row_group_bytes: int = 3_000) -> ParquetShards:
    return ParquetShards(
        folder,
        SCHEMA,
        STAMP,
        json=["messages"],
        shard_bytes=shard_bytes,
        row_group_bytes=row_group_bytes,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def test_rows_come_back_in_their_order_from_shards_and_row_groups_of_a_size(tmp_path: Path) -> None:
    whole = rows(300)
    with shards(tmp_path) as out:
        out.add_frame("train", whole)
    parts = sorted((tmp_path / "split=train").iterdir())
    assert [part.name for part in parts] == [f"part-{number:05}.parquet" for number in range(len(parts))]
    assert len(parts) == 4
    assert all(part.stat().st_size < 12_000 for part in parts)
    back = pl.concat([pl.read_parquet(part) for part in parts]).with_columns(pl.col("messages").ext.storage())
    assert back.equals(whole)
    found = duckdb.execute(
        f"SELECT count(DISTINCT row_group_id) FROM parquet_metadata('{parts[0]}')"
    ).fetchall()
    assert found == [(4,)]


def test_the_bytes_do_not_depend_on_the_batches_the_rows_came_in(tmp_path: Path) -> None:
    whole = rows(300)
    for size in (300, 7, 1):
        with shards(tmp_path / str(size)) as out:
            for batch in whole.iter_slices(size):
                out.add_frame("train", batch)
    with shards(tmp_path / "records") as out:
        for record in whole.iter_rows(named=True):
            out.add("train", record)
    assert files(tmp_path / "300") == files(tmp_path / "7") == files(tmp_path / "1")
    assert files(tmp_path / "records") == files(tmp_path / "1")


def test_a_row_larger_than_a_shard_has_one_of_its_own(tmp_path: Path) -> None:
    with shards(tmp_path, shard_bytes=1_000) as out:
        out.add_frame("train", pl.concat([rows(3), rows(1, 20_000), rows(3)]))
    heights = [pl.read_parquet(path).height for path in sorted(tmp_path.rglob("*.parquet"))]
    assert heights == [3, 1, 3]


def test_splits_lie_in_folders_and_train_is_there_without_rows(tmp_path: Path) -> None:
    with shards(tmp_path) as out:
        out.add_frame("test", rows(2))
    assert list(files(tmp_path)) == ["split=test/part-00000.parquet", "split=train/part-00000.parquet"]
    empty = pl.read_parquet(tmp_path / "split=train" / "part-00000.parquet")
    assert empty.columns == list(SCHEMA)
    assert empty.height == 0


def test_each_file_names_the_schema_version_the_run_and_the_lineage(tmp_path: Path) -> None:
    with shards(tmp_path) as out:
        out.add_frame("train", rows(300))
    for path in tmp_path.rglob("*.parquet"):
        metadata = pl.read_parquet_metadata(path)
        assert metadata["schema_version"] == SCHEMA_VERSION
        assert (metadata["run_id"], metadata["lineage_hash"]) == ("run-1", "abc")


def test_records_wait_only_until_they_are_a_few_megabytes(tmp_path: Path) -> None:
    with shards(tmp_path, shard_bytes=1 << 20) as out:
        for _ in range(40):
            out.add("train", {"id": "1", "messages": f'["{"x" * (1 << 20)}"]', "steps": 1})
        assert len(list(tmp_path.rglob("*.parquet"))) > 20


def test_a_full_disk_is_said_to_be_one(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", 64) as folder,
        pytest.raises(OSError, match=r"(?i)no space"),
        shards(folder, shard_bytes=1 << 20) as out,
    ):
        out.add_frame("train", rows(2_000))
