"""Everything the platform keeps as views to ask in SQL: rounds' Parquet, releases, and its own tables.

DuckDB reads the Parquet files where they lie. Whatever database the platform's tables are in, those that a
query names are copied into a folder of their own first, without trajectories and other bytes. A query can
change nothing: no other file is read, none written, no setting changed and no extension loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl
import sqlalchemy as sa

from adp_assets.curation.release.manifest import LINEAGE, MANIFEST, read_manifest
from adp_resources import tables
from adp_resources.database import Database
from adp_resources.table_files import table_files, told_columns
from runtimes.errors import ConfigurationError

if TYPE_CHECKING:
    import duckdb

TABLES: Mapping[str, sa.Table] = {
    str(table.name): table
    for table in (
        *(tables.pool_tasks, tables.rounds, tables.round_tasks, tables.journal, tables.llm_calls),
        *(tables.candidates, tables.trials, tables.dead_letters, tables.task_stats, tables.reviews),
        tables.diversity,
    )
}
TRAJECTORIES, RELEASES, RELEASE_ROWS = "trajectories", "releases", "release_rows"

OF_RELEASES: dict[str, pl.DataType] = {
    "name": pl.String(),
    "made_at": pl.Float64(),
    "made_by": pl.String(),
    "rows": pl.Int64(),
    "bytes": pl.Int64(),
    "rounds": pl.List(pl.String()),
    "splits": pl.String(),
    "funnel": pl.String(),
    "teachers": pl.String(),
    "recipe": pl.String(),
    "code_version": pl.String(),
    "lineage_hash": pl.String(),
    "digest": pl.String(),
    "folder": pl.String(),
}
"""Of the view `releases`; splits, funnel, teachers and recipe are JSON."""

_ALONE: dict[str, str | bool | int | float | list[str]] = {
    "allow_community_extensions": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "temp_directory": "",
}


@dataclass(frozen=True)
class Parquet:
    """Files that are one view. `label` is a column for what the part of each path at `place` says."""

    files: Sequence[Path]
    label: str
    place: int = -1


@dataclass
class Views:
    """The views of one checkout by name. `passed_over` fills with files that a view had to leave out."""

    output: Path
    database: Database
    passed_over: list[str] = field(default_factory=list)

    def names(self) -> list[str]:
        return sorted({*self._parquet(), *TABLES, *([RELEASES] if self._manifests() else [])})

    @contextmanager
    def opened(self, query: str, *, target: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that has the views which `query` may name, or all where it names none.

        Nothing but these can be read through it, and no file written but `target`.
        """
        import duckdb

        words = {word.lower() for word in re.findall(r"\w+", query)}
        names = self.names()
        named = [name for name in names if name.lower() in words] or names
        with (
            TemporaryDirectory(prefix="adp-sql-") as scratch,
            duckdb.connect(":memory:", config=_ALONE) as connection,
        ):
            found = {name: self._view(name, Path(scratch)) for name in named}
            files = [path for view in found.values() for path in view.files]
            allowed = {*map(str, files), *map(_literal, files), *([str(target)] if target else [])}
            paths = ", ".join(map(_quoted, sorted(allowed)))
            connection.execute(f"SET allowed_paths = [{paths}]")
            connection.execute("SET enable_external_access = false")
            for name, view in found.items():
                if view.files:
                    connection.execute(f'CREATE VIEW "{name}" AS {_select(view)}')
            connection.execute("SET lock_configuration = true")
            yield connection

    def described(self) -> dict[str, tuple[int, list[str]]]:
        """How many rows each view has, and its columns."""
        found = {}
        with self.database.read() as connection:
            for name, table in TABLES.items():
                count = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                found[name] = int(count), [str(column.name) for column in told_columns(table)]
        others = [name for name in self.names() if name not in TABLES]
        if others:
            with self.opened(" ".join(others)) as duck:
                known = duck.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
                for (name,) in known:
                    counted = duck.execute(f'SELECT count(*) FROM "{name}"').fetchone()
                    columns = duck.execute(f'DESCRIBE "{name}"').fetchall()
                    found[name] = counted[0] if counted else 0, [str(row[0]) for row in columns]
        return dict(sorted(found.items()))

    def _view(self, name: str, scratch: Path) -> Parquet:
        if name in TABLES:
            return Parquet(list(table_files(self.database, TABLES[name], scratch)), "")
        if name == RELEASES:
            path = scratch / f"{RELEASES}.parquet"
            pl.DataFrame(list(self._releases()), schema=OF_RELEASES).write_parquet(path)
            return Parquet([path], "")
        view = self._parquet()[name]
        return Parquet(self._readable(view.files), view.label, view.place)

    def _parquet(self) -> dict[str, Parquet]:
        folders = [path for path in (self.output / "assets").glob("*") if path.name not in TABLES]
        found = {path.name: sorted(path.glob("*.parquet")) for path in sorted(folders)}
        each = [path for name, files in found.items() if name.endswith("_trajectories") for path in files]
        rows = sorted((self.output / "releases").glob(f"[!.]*/{LINEAGE}"))
        views = {name: Parquet(files, "round") for name, files in {**found, TRAJECTORIES: each}.items()}
        views[RELEASE_ROWS] = Parquet(rows, "release", -1 - len(Path(LINEAGE).parts))
        return {name: view for name, view in views.items() if view.files}

    def _readable(self, files: Sequence[Path]) -> list[Path]:
        """Those that can be read as one; columns that an older file lacks are null there."""
        schemas: dict[Path, Mapping[str, pl.DataType]] = {}
        for path in files:
            try:
                schemas[path] = _schema(path)
            except (OSError, pl.exceptions.PolarsError) as error:
                self.passed_over.append(f"{path} cannot be read: {_first_line(error)}")
        if not schemas:
            return []
        newest = schemas[max(schemas, key=lambda path: (path.stat().st_mtime, path.name))]
        found = []
        for path, schema in schemas.items():
            other = [name for name, kind in schema.items() if newest.get(name, kind) != kind]
            if other or not set(schema) & set(newest):
                what = f"{', '.join(other)} of another type" if other else "none of the columns"
                self.passed_over.append(f"{path} is of another version: {what}")
            else:
                found.append(path)
        return found

    def _manifests(self) -> list[Path]:
        return sorted((self.output / "releases").glob(f"[!.]*/{MANIFEST}"))

    def _releases(self) -> Iterator[dict[str, Any]]:
        import msgspec

        for path in self._manifests():
            try:
                said = read_manifest(path.parent)
            except ConfigurationError as error:
                self.passed_over.append(error.message.rstrip("."))
                continue
            as_json = {name: said.get(name, {}) for name in ("splits", "funnel", "teachers", "recipe")}
            yield {
                **{name: said.get(name) for name in OF_RELEASES if name in said},
                **{name: msgspec.json.encode(value).decode() for name, value in as_json.items()},
                "rows": sum(as_json["splits"].values()),
                "bytes": sum(file["bytes"] for file in said.get("files", {}).values()),
                "rounds": list(said.get("rounds", ())),
                "folder": str(path.parent),
            }


def _select(view: Parquet) -> str:
    """The text of a view; what a file's rows do not say of themselves, its name does."""
    files = ", ".join(map(_quoted, map(_literal, view.files)))
    source = f"read_parquet([{files}], union_by_name = true, filename = 'adp_file')"
    known = {name for path in view.files for name in _schema(path)}
    if not view.label or view.label in known:
        return f"SELECT * EXCLUDE (adp_file) FROM {source}"
    part = f"string_split(adp_file, '/')[{view.place}]"
    said = f"regexp_replace({part}, '[.]parquet$', '')"
    return f"SELECT {said} AS {view.label}, * EXCLUDE (adp_file) FROM {source}"


def _schema(path: Path) -> Mapping[str, pl.DataType]:
    with path.open("rb") as file:  # polars takes a path for a pattern
        return pl.read_parquet_schema(file)


def _literal(path: Path) -> str:
    """A path that stands for itself where patterns are read."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _quoted(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
