"""The platform's database: opening it, bringing its schema up, and the upsert that stores write by."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, OperationalError

from runtimes.errors import ConfigurationError
from runtimes.write_ahead import log_ahead

VERSION_TABLE = "adp_schema_version"
HEAD = "0007"
BUSY_SECONDS = 60


class Database:
    """One database, SQLite or PostgreSQL; safe to share between threads, made anew in each process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._reader = self.engine.execution_options(adp_reads=True)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction, committed on leaving. A full or unreachable database is a ConfigurationError."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except DatabaseError as error:
            raise self._unusable(error) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A snapshot to read from; writers are not held up, however long it is read."""
        try:
            with self._reader.connect() as connection:
                yield connection
        except DatabaseError as error:
            raise self._unusable(error) from error

    def upgrade(self) -> None:
        """Bring the schema to this code's version; does nothing when it is there already."""
        with self.begin() as connection:
            if _schema_version(connection) == HEAD:
                return
            from alembic import command
            from alembic.config import Config

            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
            config.attributes["connection"] = connection
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7240114)"))
            command.upgrade(config, "head")

    def close(self) -> None:
        self.engine.dispose()

    def _unusable(self, error: DatabaseError) -> Exception:
        """What to raise: an error of the database as a whole is for a person, one of a statement is ours."""
        if not isinstance(error, OperationalError) and type(error) is not DatabaseError:
            return error
        cause = str(error.orig or error)
        where = sa.make_url(self.url).render_as_string(hide_password=True)
        remedy = "Check DATABASE_PATH."
        if "full" in cause:
            remedy = "Free disk space and run again: what was finished is kept."
        elif "readonly" in cause or "unable to open" in cause:
            remedy = "Make its folder writable, or set DATABASE_PATH or OUTPUT_DIR to one that is."
        elif "not a database" in cause or "malformed" in cause:
            remedy = "Restore the file from a backup or move it away, or set DATABASE_PATH to another."
        return ConfigurationError(f"The database {where} cannot be used: {cause}.", remedy)


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    replace: bool = True,
    replace_if: Callable[[Any], sa.ColumnElement[bool]] | None = None,
) -> int:
    """Insert rows by primary key; those that exist are replaced, or left alone with `replace=False`.

    `replace_if` gets the new row's columns and says which existing rows may be replaced. Gives the number of
    rows written.
    """
    if not rows:
        return 0
    statement = _upsertion(connection.dialect.name, table, replace, replace_if)
    written = 0
    for row in rows:
        written += max(connection.execute(statement, row).rowcount, 0)
    return written


@functools.lru_cache  # making the statement takes as long as writing a trajectory
def _upsertion(
    dialect: str, table: Table, replace: bool, replace_if: Callable[[Any], sa.ColumnElement[bool]] | None
) -> Any:
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    if not replace:
        return statement.on_conflict_do_nothing(index_elements=keys)
    values = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    where = replace_if(statement.excluded) if replace_if else None
    return statement.on_conflict_do_update(index_elements=keys, set_=values, where=where)


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True)
    path = sa.make_url(url).database
    if path:
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The database's folder {Path(path).parent} cannot be made: {error.strerror}.",
                "Make it writable, or set DATABASE_PATH or OUTPUT_DIR to one that is.",
            ) from error
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own BEGIN comes too late for a read that is followed by a write: two planners could both
    # read "pending". With isolation_level None, `_begin` decides.
    connection.isolation_level = None
    log_ahead(connection, BUSY_SECONDS)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("adp_reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _schema_version(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
