"""Tables of the database as Parquet files, whatever database it is, for readers that know only files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from adp_resources.database import Database

PART = 50_000
"""Rows of a table that are in memory at once."""

_KINDS: dict[type[sa.types.TypeEngine[Any]], pl.DataType] = {
    sa.Boolean: pl.Boolean(),
    sa.Float: pl.Float64(),
    sa.Integer: pl.Int64(),
}


def table_files(database: Database, table: sa.Table, folder: Path) -> Iterator[Path]:
    """Write a table into a folder, some rows a file; gives each file when it is written.

    JSON is text in them. An empty table is one file without rows.
    """
    told = told_columns(table)
    schema = {column.name: _kind(column) for column in told}
    shown = [
        sa.cast(column, sa.Text).label(column.name) if isinstance(column.type, sa.JSON) else column
        for column in told
    ]
    with database.read() as connection:
        rows = connection.execution_options(yield_per=PART).execute(sa.select(*shown))
        for number, part in enumerate(_parts(rows.partitions())):
            path = folder / f"{table.name}-{number}.parquet"
            pl.DataFrame(part, schema=schema, orient="row").write_parquet(path)
            yield path


def _parts(parts: Iterable[Sequence[sa.Row[Any]]]) -> Iterator[list[tuple[Any, ...]]]:
    """These, and an empty one in place of none."""
    nothing = True
    for part in parts:
        nothing = False
        yield [tuple(row) for row in part]
    if nothing:
        yield []


def told_columns(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns of a table but its bytes."""
    return [column for column in table.c if not isinstance(column.type, sa.LargeBinary)]


def _kind(column: sa.Column[Any]) -> pl.DataType:
    return next((kind for type_, kind in _KINDS.items() if isinstance(column.type, type_)), pl.String())
