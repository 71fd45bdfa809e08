"""A cache store in Redis, for processes on many machines: GET, SET and DEL over one connection.

Three commands are all a cache wants, and the platform has no Redis client among its dependencies; queues and
streams are no business of this module.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import zlib
from urllib.parse import unquote, urlsplit

from runtimes.errors import ConfigurationError

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 2.0
"""The longest a look into the cache may take; then it is as if nothing were there."""

PAUSE_SECONDS = 5.0
"""After a fault the server is left alone for so long, so that a dead one slows nobody down."""


class RedisStore:
    """Entries in Redis under their keys, values compressed; Redis drops them after `ttl` seconds.

    Raises ConfigurationError for an address that is none; a server that fails only costs what it held.
    """

    def __init__(self, url: str, ttl: float) -> None:
        self._url = url
        self._ttl_ms = max(1, math.ceil(ttl * 1000))
        self._greeting = _greeting(url)
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._silent_until = 0.0
        self._closed = False

    async def get(self, key: str) -> bytes | None:
        found = await self._ask(b"GET", key.encode())
        try:
            return zlib.decompress(found) if found is not None else None
        except zlib.error as error:
            log.warning("the entry %s in Redis cannot be read and is not used: %s", key, error)
            return None

    async def put(self, key: str, value: bytes) -> None:
        await self._ask(b"SET", key.encode(), zlib.compress(value, 1), b"PX", str(self._ttl_ms).encode())

    async def remove(self, key: str) -> None:
        await self._ask(b"DEL", key.encode())

    async def aclose(self) -> None:
        """Whoever asks afterwards gets nothing, and opens no other connection."""
        self._closed = True
        self._disconnect()

    async def _ask(self, *command: bytes) -> bytes | None:
        async with self._lock:
            if self._closed or time.monotonic() < self._silent_until:
                return None
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    reader, writer = self._streams or await self._connect()
                    return await _exchange(reader, writer, command)
            except (
                OSError,
                EOFError,
                ValueError,
                asyncio.LimitOverrunError,
            ) as error:  # timeouts are OSErrors
                self._disconnect()
                self._silent_until = time.monotonic() + PAUSE_SECONDS
                log.warning(
                    "Redis at %s is no cache for %g s (%s): work goes on without it. Check REDIS_URL.",
                    urlsplit(self._url).hostname,
                    PAUSE_SECONDS,
                    error or type(error).__name__,
                )
                return None
            except BaseException:
                self._disconnect()  # cancelled half way: the reply to come would be taken for the next one's
                raise

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._url)
        host, port = parts.hostname or "localhost", parts.port or 6379
        reader, writer = await asyncio.open_connection(host, port, ssl=parts.scheme == "rediss" or None)
        self._streams = reader, writer
        for command in self._greeting:
            await _exchange(reader, writer, command)
        return reader, writer

    def _disconnect(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _greeting(url: str) -> list[tuple[bytes, ...]]:
    """The commands that a connection begins with: who we are, and which database."""
    try:
        parts = urlsplit(url)
        _ = parts.port
        database = int(parts.path.strip("/") or 0)
    except ValueError as error:
        raise ConfigurationError(
            f"REDIS_URL is no address of Redis: {error}.", "Write redis://HOST:PORT/DATABASE."
        ) from error
    commands: list[tuple[bytes, ...]] = []
    if parts.password:
        names = [unquote(part).encode() for part in (parts.username, parts.password) if part]
        commands.append((b"AUTH", *names))
    if database:
        commands.append((b"SELECT", str(database).encode()))
    return commands


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: tuple[bytes, ...]
) -> bytes | None:
    """One command and its reply, in Redis' protocol (RESP 2). Raises ValueError for an error it gives."""
    parts = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in command)
    writer.write(b"*%d\r\n%b" % (len(command), parts))
    await writer.drain()
    line = (await reader.readuntil(b"\r\n"))[:-2]
    kind, rest = line[:1], line[1:]
    if kind == b"-":
        raise ValueError(rest.decode(errors="replace"))
    if kind != b"$":
        return rest
    length = int(rest)
    return None if length < 0 else (await reader.readexactly(length + 2))[:-2]
