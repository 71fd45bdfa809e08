"""Rows of other people's files, streaming: JSON lines, CSV and Parquet, the text ones also compressed.

What a row means is its data set's module to say; here it is only found, numbered and, where it is none,
rejected. However long the file, no more than a few thousand rows are held.
"""

from __future__ import annotations

import csv
import glob
import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from adp_assets.intake.task_files import MAX_LINE_BYTES, read_lines
from runtimes.contracts import TaskSpec
from runtimes.errors import ConfigurationError, InvalidTask

FORMATS = "JSON lines or .csv, either also as .gz, or .parquet"
_BATCH = 1_000
_SHOWN = 2_000
"""Characters that are kept of a line too long to be a task."""


@dataclass(frozen=True)
class Row:
    """One row: its number from 1 (of the line, in JSON lines), its values by column, and itself as JSON.

    `typed` says that numbers and lists are such; in CSV all is text.
    """

    number: int
    values: dict[str, Any]
    text: str
    typed: bool = True


@dataclass(frozen=True)
class Reject:
    """A row that became no task, why, and what was in it."""

    row: int
    reason: str
    content: str


def read_rows(path: Path, limit: int | None = None) -> Iterator[Row | Reject]:
    """The first `limit` rows of a file, or all; what is neither .csv nor .parquet is taken for JSON lines.

    Raises ConfigurationError for a file that cannot be read, at its beginning or where it breaks off.
    """
    readers = {".csv": _csv, ".csv.gz": _csv, ".parquet": _parquet}
    suffix = "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:])
    reader = readers.get(suffix.lower(), _json_lines)
    yield from islice(reader(path), limit)


def tasks_of(rows: Iterable[Row | Reject], make: Callable[[Row], TaskSpec]) -> Iterator[TaskSpec | Reject]:
    """What `make` makes of each row; a row of which it raises InvalidTask is rejected for that reason."""
    for row in rows:
        if isinstance(row, Reject):
            yield row
            continue
        try:
            yield make(row)
        except InvalidTask as error:
            yield Reject(row.number, str(error), row.text)


def _json_lines(path: Path) -> Iterator[Row | Reject]:
    with _opened(path) as file:
        for line in read_lines(file, 0, 0):
            if not line.content.strip():
                continue
            shown = line.content.decode(errors="backslashreplace").rstrip("\r\n")
            if len(line.content) > MAX_LINE_BYTES:
                reason = f"the line is longer than {MAX_LINE_BYTES:,} bytes."
                yield Reject(line.number, reason, shown[:_SHOWN])
                continue
            try:
                yield Row(line.number, msgspec.json.decode(line.content, type=dict[str, Any]), shown)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                yield Reject(line.number, f"no JSON object: {error}.", shown)


def _csv(path: Path) -> Iterator[Row | Reject]:
    csv.field_size_limit(MAX_LINE_BYTES)
    with _opened(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
        reader = csv.reader(text, strict=True)
        columns = next(reader, [])
        number = 0
        while True:
            number += 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Reject(number, f"no row of CSV, at line {reader.line_num}: {error}.", "")
                continue
            if cells:
                yield _of_cells(number, columns, cells)


def _of_cells(number: int, columns: list[str], cells: list[str]) -> Row | Reject:
    values = dict(zip(columns, cells, strict=False))
    plain = {name: _escaped(cell) for name, cell in values.items()}
    text = msgspec.json.encode(plain).decode()
    if len(cells) != len(columns):
        return Reject(number, f"{len(cells)} cells for {len(columns)} columns.", text)
    if plain != values:
        return Reject(number, "it is not UTF-8.", text)
    return Row(number, values, text, typed=False)


def _escaped(cell: str) -> str:
    """A cell with the bytes that were not UTF-8 spelled out."""
    return cell.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _parquet(path: Path) -> Iterator[Row | Reject]:
    import duckdb

    with duckdb.connect() as connection:
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SELECT * FROM read_parquet(?)", [glob.escape(str(path))])
            columns = [name for name, *_ in connection.description or ()]
            number = 0
            while cells := connection.fetchmany(_BATCH):
                for each in cells:
                    number += 1
                    yield _of_record(number, dict(zip(columns, each, strict=True)))
        except duckdb.Error as error:
            cause = str(error).splitlines()[0]
            raise _unreadable(path, cause) from error


def _of_record(number: int, values: dict[str, Any]) -> Row | Reject:
    """Values as JSON has them: a date is its text."""
    try:
        text = msgspec.json.encode(values)
        return Row(number, msgspec.json.decode(text), text.decode())
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        return Reject(number, f"a value that JSON cannot hold: {error}.", repr(values)[:_SHOWN])


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as plain:
            if path.suffix != ".gz":
                yield plain
                return
            with gzip.GzipFile(fileobj=plain) as file:
                yield file
    except (OSError, EOFError, zlib.error) as error:
        cause = getattr(error, "strerror", None) or error
        raise _unreadable(path, cause) from error


def _unreadable(path: Path, cause: object) -> ConfigurationError:
    return ConfigurationError(f"{path} cannot be read: {cause}.", f"Name a whole file: {FORMATS}.")
