"""SQLite's write-ahead log, switched on in a file that others may open at the same moment."""

from __future__ import annotations

import sqlite3
import time

_PAUSE_SECONDS = 0.01


def log_ahead(connection: sqlite3.Connection, seconds: float) -> None:
    """Put the file in write-ahead mode, where readers and a writer do not hold each other up.

    SQLite's own waiting (`timeout` of `connect`) does not cover this: whoever finds another one writing into
    a file that is not in this mode yet is told "database is locked" at once. So it is asked again for up to
    `seconds`; then it is the sqlite3.OperationalError after all.
    """
    gives_up_at = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > gives_up_at:
                raise
        time.sleep(_PAUSE_SECONDS)
