"""The rows of evaluation sets' files: JSONL, JSON and Parquet, whatever their fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from runtimes.errors import ConfigurationError

SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")
_WAY_OUT = "Mend the file or take it out of the folder of evaluation sets."
_ROWS = 1_000
"""Of a Parquet file that are held as Python values at once."""

Row = tuple[int, Any]
"""The line of a JSONL file, or the number of the row, from 1, and what is there."""


def evaluation_files(folder: Path) -> list[Path]:
    """Every file below the folder that can hold evaluation items, in order; nothing hidden.

    Raises ConfigurationError for a folder that is not there or holds none.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            f"The folder of evaluation sets {folder} is not there.", "Name a folder that holds them."
        )
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not found:
        raise ConfigurationError(
            f"The folder of evaluation sets {folder} holds no JSONL, JSON or Parquet file.",
            f"Put the sets there as {', '.join(SUFFIXES)}, unpacked.",
        )
    return found


def rows_of(path: Path) -> Iterator[Row]:
    """A file's rows. Raises ConfigurationError, with the place, for what cannot be read as its name says."""
    try:
        if path.suffix.lower() == ".parquet":
            yield from _parquet_rows(path)
        elif path.suffix.lower() == ".json":
            yield from _json_rows(path)
        else:
            yield from _lines(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}.", _WAY_OUT) from error


def _lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise ConfigurationError(
                        f"{path}, line {number} is not JSON: {str(error)[:200]}.", _WAY_OUT
                    ) from error


def _json_rows(path: Path) -> Iterator[Row]:
    """A list's elements; another value is the only row. JSON Lines under that name will do."""
    content = path.read_bytes()
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        first, _, rest = content.lstrip().partition(b"\n")
        if not (rest.strip() and _is_json(first)):
            raise ConfigurationError(f"{path} is not JSON: {str(error)[:200]}.", _WAY_OUT) from error
        yield from _lines(path)
    else:
        yield from enumerate(value if isinstance(value, list) else [value], start=1)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        frame = pl.scan_parquet(path, glob=False)
        texts = [name for name, dtype in frame.collect_schema().items() if _holds_text(dtype)]
        rows = frame.select(texts).collect()
    except pl.exceptions.PolarsError as error:
        cause = str(error).splitlines()[0][:200]
        raise ConfigurationError(f"{path} is not Parquet that can be read: {cause}.", _WAY_OUT) from error
    for start in range(0, rows.height if texts else 0, _ROWS):
        part = rows.slice(start, _ROWS).iter_rows(named=True)
        yield from enumerate(part, start=start + 1)


def _holds_text(dtype: pl.DataType) -> bool:
    """Whether there are strings in a column, at any depth; pictures' bytes are never read."""
    if isinstance(dtype, pl.Struct):
        return any(_holds_text(field.dtype) for field in dtype.fields if isinstance(field.dtype, pl.DataType))
    if isinstance(dtype, pl.List | pl.Array):
        return isinstance(dtype.inner, pl.DataType) and _holds_text(dtype.inner)
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)
