"""How a server is reached: a program of this machine under guard, or an address that is checked each time."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runtimes.tools.mcp.servers import MAX_MESSAGE_BYTES, McpRules, McpServer

if TYPE_CHECKING:
    import httpx2
    from mcp.client import Transport

GUARD = Path(__file__).with_name("guard.py")
_LAST_LINES = 20
_LONGEST_LINE = 1000  # characters


class LastWords:
    """The last lines that a server wrote to its standard error, for the message when it does not start."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)

    def __str__(self) -> str:
        return "\n".join(self._lines)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """A descriptor to write to; what comes is read until it is closed everywhere or the block is left."""
        reading, writing = os.pipe()
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        source, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb")
        )
        listener = asyncio.create_task(self._listen(reader))
        try:
            yield writing
        finally:
            os.close(writing)
            # What was said last may still be under way; somebody else may hold the other end for ever.
            await asyncio.wait([listener], timeout=0.5)
            listener.cancel()
            source.close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        rest = ""
        while data := await reader.read(4096):
            *lines, rest = (rest + data.decode("utf-8", "replace")).split("\n")
            self._lines.extend(line[:_LONGEST_LINE] for line in lines)
            rest = rest[:_LONGEST_LINE]
        if rest:
            self._lines.append(rest)


@asynccontextmanager
async def transport(server: McpServer, rules: McpRules, words: LastWords) -> AsyncIterator[Transport]:
    """What the client of `mcp` takes. Raises ConfigurationError for a server that is not allowed here."""
    rules.check(server)
    if server.command:
        async with words.listening() as stderr:
            folder = tempfile.mkdtemp(prefix="adp-mcp-")
            try:
                with os.fdopen(os.dup(stderr), "w") as log:
                    yield _program(server, rules, folder, log)
            finally:
                # The guard does this as well, also where we are killed, but not where it never started.
                shutil.rmtree(folder, ignore_errors=True)
    else:
        async with _http_client(server, rules) as client:
            from mcp.client.streamable_http import streamable_http_client

            yield streamable_http_client(server.url, http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES)


def _program(server: McpServer, rules: McpRules, folder: str, log: object) -> Transport:
    """The server's program, with `folder` as its home, and without our environment.

    The client gives it PATH and the names of user and shell, nothing else of ours.
    """
    from mcp.client.stdio import StdioServerParameters, stdio_client

    program = rules.program(server)
    own = rules.filled(server.env)
    guarded = (folder, str(os.getpid()), str(MAX_MESSAGE_BYTES))
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-I", "-S", str(GUARD), *guarded, program, *server.command[1:]],
        env={"HOME": folder, "TMPDIR": folder, **own},
        cwd=folder,
        encoding_error_handler="replace",
    )
    return stdio_client(parameters, errlog=log)  # type: ignore[arg-type]


def _http_client(server: McpServer, rules: McpRules) -> httpx2.AsyncClient:
    import httpx2

    from runtimes.tools.mcp.checked import CheckedTransport

    return httpx2.AsyncClient(
        transport=CheckedTransport(rules.policy),
        headers=rules.filled(server.headers),
        timeout=httpx2.Timeout(30.0, read=None),  # how long a call may take is the session's to say
        trust_env=False,
    )
