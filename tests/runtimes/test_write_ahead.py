"""Files put in write-ahead mode while another connection writes into them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runtimes.write_ahead import log_ahead


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new.sqlite"


@pytest.fixture
def writer(file: Path) -> Iterator[sqlite3.Connection]:
    """One that has begun to write into the file, which is not in write-ahead mode."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def test_a_writer_is_waited_for(file: Path, writer: sqlite3.Connection) -> None:
    modes: list[str] = []

    def open_it() -> None:
        with closing(sqlite3.connect(file, timeout=0)) as connection:
            log_ahead(connection, seconds=60)
            modes.extend(connection.execute("PRAGMA journal_mode").fetchone())

    thread = threading.Thread(target=open_it)
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    writer.execute("COMMIT")
    thread.join()
    assert modes == ["wal"]


def test_a_writer_that_does_not_end_is_an_error_at_last(file: Path, writer: sqlite3.Connection) -> None:
    with (
        closing(sqlite3.connect(file, timeout=0)) as connection,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        log_ahead(connection, seconds=0.05)
