"""The IO manager: every asset's frame is one Parquet file a partition, written atomically, schema kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl

from adp_resources.files import replacing
from adp_resources.settings_resource import SettingsResource

SCHEMA_VERSION = "1"
WHOLE = "all"
"""In place of a round's name, of an asset that has one frame for all."""


class ParquetIOManager(dg.ConfigurableIOManager):
    """Keeps `<output>/assets/<asset>/<round>.parquet`; a frame of the same round is replaced in one move."""

    settings: SettingsResource

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame) -> None:
        path = self._path(context)
        write_frame(obj, path, {"run_id": context.run_id, "asset": context.asset_key.to_user_string()})
        context.add_output_metadata(
            {
                "path": dg.MetadataValue.path(path),
                "dagster/row_count": obj.height,
                "dagster/column_schema": column_schema(obj),
            }
        )

    def load_input(self, context: dg.InputContext) -> pl.DataFrame:
        path = self._path(context)
        if not path.exists():
            raise dg.Failure(
                f"{context.asset_key.to_user_string()} of round {context.partition_key!r} is not there "
                f"({path}). Materialize it first.",
                allow_retries=False,
            )
        return pl.read_parquet(path)

    def _path(self, context: dg.InputContext | dg.OutputContext) -> Path:
        name = "__".join(context.asset_key.path)
        partition = context.asset_partition_key if context.has_asset_partitions else WHOLE
        return self.settings.get().output / "assets" / name / f"{partition}.parquet"


def write_frame(frame: pl.DataFrame, path: Path, metadata: dict[str, str]) -> None:
    """Write Parquet (zstd 3) atomically with the schema version among its metadata.

    Raises ConfigurationError for a full disk or a folder that cannot be written.
    """
    with replacing(path) as temporary:
        try:
            frame.write_parquet(
                temporary, compression_level=3, metadata={"schema_version": SCHEMA_VERSION, **metadata}
            )
        except pl.exceptions.ComputeError as error:  # how polars reports a full disk
            raise OSError(str(error)) from error


def slices(path: Path, rows: int) -> Iterator[pl.DataFrame]:
    """A file's frame, so many rows at a time."""
    scan = pl.scan_parquet(path)
    height = int(scan.select(pl.len()).collect().item())
    for start in range(0, height, rows):
        yield scan.slice(start, rows).collect()


def column_schema(frame: pl.DataFrame) -> dg.TableSchema:
    """The frame's columns as the UI shows them."""
    return dg.TableSchema(
        columns=[dg.TableColumn(name, type=str(dtype)) for name, dtype in frame.schema.items()]
    )
