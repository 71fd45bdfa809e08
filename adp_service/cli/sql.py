"""`adp sql`: questions in SQL to everything the platform keeps."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from adp_resources.files import replacing
from adp_service.cli.output import console, counted, id_column, in_short, note, print_table, shown_path
from adp_service.platform import Platform
from adp_service.views import Views
from runtimes.errors import ConfigurationError

if TYPE_CHECKING:
    import duckdb

SHOWN = 200
"""Rows of a table on the screen, of which nobody reads more; the other forms have all."""

CELL = 200
BATCH = 10_000


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT. Without it, the views are listed.")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="All rows as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All rows as JSON.")] = False,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", metavar="FILE", help="All rows into a Parquet file.")
    ] = None,
) -> None:
    """Ask SQL (DuckDB's) of rounds, trajectories, releases and the platform's own tables. It changes nothing.

    There is a view for each asset over the Parquet of all its rounds, `trajectories` over those of all task
    types, `releases` and `release_rows` (which release has which trajectory), and one for each table, as it
    is in this moment, without the bytes of whole trajectories.

    Example: `adp sql "select round, outcome, count(*) from trajectories group by all"`
    """
    if sum([as_csv, as_json, parquet is not None]) > 1:
        raise ConfigurationError("--csv, --json and --parquet exclude each other.", "Give one of them.")
    platform = Platform({})
    views = Views(platform.settings.output, platform.database)
    if not query.strip():
        _list(views, as_json=as_json)
    else:
        _answer(views, _one_select(query), as_csv=as_csv, as_json=as_json, parquet=parquet)
    for said in dict.fromkeys(views.passed_over):
        note(f"{said}. The others were asked without it.")


def _one_select(query: str) -> str:
    """The query without what ends it. Raises ConfigurationError for anything but one that reads."""
    import duckdb

    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as error:
        raise ConfigurationError(str(error).strip(), "`adp sql` alone lists the views.") from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ConfigurationError(
            "Only one SELECT can be asked: nothing is changed here.",
            "DESCRIBE and SUMMARIZE are such, too. --parquet FILE keeps what is found.",
        )
    return query.strip().rstrip(";")


def _answer(views: Views, query: str, *, as_csv: bool, as_json: bool, parquet: Path | None) -> None:
    import duckdb

    try:
        with ExitStack() as open_:
            target = open_.enter_context(replacing(parquet.absolute())) if parquet else None
            connection = open_.enter_context(views.opened(query, target=target))
            if target:
                place = str(target).replace("'", "''")
                connection.execute(f"COPY ({query}\n) TO '{place}' (FORMAT parquet, COMPRESSION zstd)")
            else:
                _print(connection.execute(query), as_csv=as_csv, as_json=as_json)
    except duckdb.Error as error:
        known = ", ".join(views.names())
        raise ConfigurationError(str(error).strip(), f"The views are: {known}.") from error
    if parquet:
        console.print(f"Written: {shown_path(parquet.absolute())}", style="dim")


def _print(found: duckdb.DuckDBPyConnection, *, as_csv: bool, as_json: bool) -> None:
    names = [str(column[0]) for column in found.description or ()]
    rows = _rows(found)
    if as_csv:
        _print_csv(names, rows)
    elif as_json:
        _print_json(names, rows)
    else:
        _print_table(names, rows)


def _rows(found: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while batch := found.fetchmany(BATCH):
        yield from batch


def _print_csv(names: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in chain([tuple(names)], rows):
        writer.writerow([_cell(value) for value in row])
        typer.echo(text.getvalue(), nl=False)
        text.seek(0)
        text.truncate()


def _print_json(names: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    before = "[\n"
    for row in rows:
        said = dict(zip(names, map(_plain, row), strict=True))
        typer.echo(before + msgspec.json.encode(said, enc_hook=str).decode(), nl=False)
        before = ",\n"
    typer.echo("[]" if before == "[\n" else "\n]")


def _print_table(names: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    table = Table(*map(escape, names), box=None)
    count = 0
    for row in rows:
        if count < SHOWN:
            table.add_row(*(escape(in_short(_cell(value), CELL)) for value in row))
        count += 1
    print_table(table)
    if count > SHOWN:
        console.print(
            f"... and {counted(count - SHOWN, 'more row')} (--csv, --json or --parquet FILE have all)"
        )


def _cell(value: Any) -> str:
    """A value as a person reads it; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, list | dict | tuple):
        return msgspec.json.encode(_plain(value), enc_hook=str).decode()
    return str(value)


def _plain(value: Any) -> Any:
    """A value as JSON has it, where there is neither infinity nor a key that is no text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _list(views: Views, *, as_json: bool) -> None:
    found = views.described()
    if as_json:
        plain = {name: {"rows": rows, "columns": columns} for name, (rows, columns) in found.items()}
        typer.echo(msgspec.json.format(msgspec.json.encode(plain)))
        return
    table = Table(id_column("view", found), "rows", "columns", box=None)
    for name, (rows, columns) in found.items():
        table.add_row(name, f"{rows:,}", ", ".join(columns))
    print_table(table)
