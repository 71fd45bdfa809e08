"""Parquet in shards: `split=<name>/part-00000.parquet`, row groups and files cut by bytes.

A shard is gathered in memory and written at once by polars, so no more than a shard of each split is held.
Where it is cut depends on the rows alone, not on the batches they came in: the same rows, the same bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from adp_assets.curation.formats.base import Stamp

SHARD_BYTES = 256 << 20
"""Raw: what is compressed is less, and far from the 500 MB that hubs take at most of one file."""

ROW_GROUP_BYTES = 100 << 20
"""Raw. What a reader holds of a file at a time."""

_VALUE_BYTES = 8
_BUFFERED_BYTES = 8 << 20
"""Of records that wait to become a frame, counted as the text in them."""

JSON = pl.Extension("arrow.json", pl.String, "")
"""A column of JSON texts that readers of Arrow decode. polars has it at the top level only."""


class ParquetShards:
    """Writes records or frames of one schema into `folder`; `json` names the columns of JSON texts.

    The split `train` is there, with its columns, though it may have no rows.
    """

    def __init__(
        self,
        folder: Path,
        schema: Mapping[str, Any],
        stamp: Stamp,
        *,
        json: Collection[str] = (),
        shard_bytes: int = SHARD_BYTES,
        row_group_bytes: int = ROW_GROUP_BYTES,
    ) -> None:
        self.folder = folder
        self.schema = dict(schema)
        self.json = list(json)
        self.metadata = stamp.metadata()
        self.shard_bytes = shard_bytes
        self.row_group_bytes = row_group_bytes
        self._records: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._sizes: defaultdict[str, list[int]] = defaultdict(list)
        self._buffered: defaultdict[str, int] = defaultdict(int)
        self._pending: dict[str, _Shard] = {"train": _Shard()}

    def __enter__(self) -> ParquetShards:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()

    def add(self, split: str, record: dict[str, Any]) -> None:
        """One row, by column."""
        self._records[split].append(record)
        self._sizes[split].append(_text_bytes(record))
        self._buffered[split] += self._sizes[split][-1]
        if self._buffered[split] >= _BUFFERED_BYTES:
            self._gather(split)

    def add_frame(self, split: str, frame: pl.DataFrame) -> None:
        """Rows of a split, with the schema's columns, all flat, among theirs."""
        frame = frame.select(*self.schema)
        self._take(split, frame, _row_bytes(frame))

    def _take(self, split: str, frame: pl.DataFrame, sizes: pl.Series) -> None:
        shard = self._pending.setdefault(split, _Shard())
        ends = sizes.cum_sum()
        taken, before = 0, 0
        while taken < frame.height:
            upto = int((ends <= before + self.shard_bytes - shard.bytes).sum())
            if not shard.frames:
                upto = max(upto, taken + 1)
            if upto > taken:
                shard.frames.append(frame[taken:upto])
                shard.bytes += ends[upto - 1] - before
                taken, before = upto, ends[upto - 1]
            if taken < frame.height:
                self._write(split, shard)

    def close(self) -> None:
        """Write what waits. Raises OSError where it cannot be written."""
        for split in list(self._records):
            self._gather(split)
        for split, shard in self._pending.items():
            if shard.frames or not shard.number:
                self._write(split, shard)

    def _gather(self, split: str) -> None:
        records, sizes = self._records.pop(split), self._sizes.pop(split)
        del self._buffered[split]
        frame = pl.DataFrame(records, schema=self.schema, orient="row")
        self._take(split, frame, pl.Series(sizes, dtype=pl.Int64()))

    def _write(self, split: str, shard: _Shard) -> None:
        frame = pl.concat(shard.frames, rechunk=True) if shard.frames else pl.DataFrame(schema=self.schema)
        path = self.folder / f"split={split}" / f"part-{shard.number:05}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        groups = -(-shard.bytes // self.row_group_bytes) or 1
        try:
            frame.with_columns(pl.col(self.json).ext.to(JSON)).write_parquet(
                path,
                compression_level=3,
                row_group_size=max(1, -(-frame.height // groups)),
                metadata=self.metadata,
            )
        except pl.exceptions.ComputeError as error:  # how polars reports a full disk
            raise OSError(str(error)) from error
        shard.frames, shard.bytes, shard.number = [], 0, shard.number + 1


class _Shard:
    """What waits of a split: frames, their raw bytes, and the number of the file they will be in."""

    def __init__(self) -> None:
        self.frames: list[pl.DataFrame] = []
        self.bytes = 0
        self.number = 0


def _row_bytes(frame: pl.DataFrame) -> pl.Series:
    """About how many bytes each row takes: its texts, and as much for each value as a number takes."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    lengths = [pl.col(name).str.len_bytes().fill_null(0).cast(pl.Int64) for name in texts]
    return frame.select(bytes=pl.sum_horizontal(pl.lit(_VALUE_BYTES * frame.width), *lengths)).to_series()


def _text_bytes(value: Any) -> int:
    """The same of a record, however deep its texts lie."""
    if isinstance(value, str):
        return _VALUE_BYTES + len(value.encode())
    if isinstance(value, dict):
        return sum(_text_bytes(each) for each in value.values())
    return sum(map(_text_bytes, value)) if isinstance(value, list) else _VALUE_BYTES
