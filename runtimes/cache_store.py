"""Bytes by key for a while: what every cache of the platform keeps its entries in.

A store never raises and never makes anybody wait for long: what it cannot read is not there, what it cannot
write is not kept, and the log says why. What the entries mean is their caches' business.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from runtimes.secrets import Redactor
from runtimes.write_ahead import log_ahead

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
"""The longest wait for other processes that write to the same file."""

PRUNE_EVERY = 1000
"""Writes after which entries out of time are deleted."""

_TABLE = """
CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, stored_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS entries_by_age ON entries (stored_at);
"""
_UPSERT = "INSERT OR REPLACE INTO entries (key, value, stored_at) VALUES (?, ?, ?)"


class CacheStore(Protocol):
    """Entries that last for the store's time to live, shared by every process that opens the same place."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes) -> None: ...

    async def remove(self, key: str) -> None: ...

    async def aclose(self) -> None: ...


class WithoutSecrets:
    """A store that does not keep entries with secrets: what it gives back is what was said, or nothing."""

    def __init__(self, store: CacheStore, redactor: Redactor) -> None:
        self._store = store
        self._redactor = redactor

    async def get(self, key: str) -> bytes | None:
        return await self._store.get(key)

    async def put(self, key: str, value: bytes) -> None:
        if not self._redactor.finds(value.decode("utf-8", "replace")):
            await self._store.put(key, value)

    async def remove(self, key: str) -> None:
        await self._store.remove(key)

    async def aclose(self) -> None:
        await self._store.aclose()


class SqliteStore:
    """A store in one SQLite file, values compressed; `ttl` is in seconds.

    One thread of its own owns the connection, so that a slow disk holds up no other work of the loop.
    """

    def __init__(self, path: Path, ttl: float, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.ttl = ttl
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cache")
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._writes = 0
        self._said: set[str] = set()

    async def get(self, key: str) -> bytes | None:
        found: bytes | None = await self._run(self._get, key)
        return found

    async def put(self, key: str, value: bytes) -> None:
        await self._run(self._put, key, value)

    async def remove(self, key: str) -> None:
        await self._run(self._remove, key)

    async def aclose(self) -> None:
        await self._run(self._close)
        self._closed = True
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[..., Any], *given: Any) -> Any:
        if self._closed:
            return None
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work, *given)

    def _guarded(self, work: Callable[..., Any], *given: Any) -> Any:
        try:
            return work(*given)
        except (sqlite3.Error, OSError, zlib.error) as error:
            self._say(error)
            return None

    def _get(self, key: str) -> bytes | None:
        oldest = self._clock() - self.ttl
        query = "SELECT value FROM entries WHERE key = ? AND stored_at > ?"
        row = self._open().execute(query, (key, oldest)).fetchone()
        return zlib.decompress(row[0]) if row else None

    def _put(self, key: str, value: bytes) -> None:
        connection = self._open()
        connection.execute(_UPSERT, (key, zlib.compress(value, 1), self._clock()))
        self._writes += 1
        if self._writes % PRUNE_EVERY == 0:
            self._prune(connection)

    def _remove(self, key: str) -> None:
        self._open().execute("DELETE FROM entries WHERE key = ?", (key,))

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)  # it holds what models said, secrets and all
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                log_ahead(connection, BUSY_SECONDS)
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.executescript(_TABLE)
                self._prune(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _prune(self, connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM entries WHERE stored_at <= ?", (self._clock() - self.ttl,))

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _say(self, error: Exception) -> None:
        """Each fault once: a full disk would fill the log, too."""
        if (words := str(error)) not in self._said:
            self._said.add(words)
            log.warning(
                "the cache %s is not used (%s): work goes on without it. Free disk space, or move the file "
                "and its -wal and -shm away; a new one is made.",
                self.path,
                words,
            )
