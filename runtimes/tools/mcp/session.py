"""One open session with an MCP server: how it is opened, asked whether it answers, and ended."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from importlib import import_module
from typing import TYPE_CHECKING

from runtimes.errors import ConfigurationError, ToolUnavailable
from runtimes.tools.mcp.servers import McpRules, McpServer
from runtimes.tools.mcp.transports import LastWords, transport

if TYPE_CHECKING:
    from mcp import Client

OPEN_SECONDS = 30.0
"""For a server to start and say what it is."""

ANSWER_SECONDS = 3.0
"""For a server that is in order to say so."""


class NotOpened(ToolUnavailable):
    """The server did not start or was not reached."""

    def again(self) -> NotOpened:
        """The same for another who waited for it."""
        return NotOpened(self.error_type, self.message, self.remedy)


class Session:
    """One open session and the task that owns it: its scopes must be left by the task that entered them."""

    def __init__(self, words: LastWords) -> None:
        self.words = words
        self.users = 0
        self.client: Client
        self._over = asyncio.Event()
        self._owner: asyncio.Task[None]

    @classmethod
    async def open(cls, server: McpServer, rules: McpRules) -> Session:
        """Raises NotOpened saying what the server said last."""
        await asyncio.to_thread(import_module, "mcp.client.client")  # takes a second, once
        session = cls(LastWords())
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        session._owner = asyncio.create_task(session._own(server, rules, opened))
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await asyncio.shield(opened)
        except BaseException as error:
            opened.cancel()
            await session._give_up()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise _not_opened(server, error, str(session.words)) from error
        return session

    async def answers(self) -> bool:
        """Whether it says at once what tools it has, be it in error."""
        from mcp import MCPError
        from mcp.types import CONNECTION_CLOSED, REQUEST_TIMEOUT

        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self.client.list_tools(cache_mode="bypass")
        except MCPError as error:
            return error.code not in (CONNECTION_CLOSED, REQUEST_TIMEOUT)
        except Exception:  # late, against the protocol, or on a connection that is closed
            return False
        return True

    async def close(self) -> None:
        """End the session and its server; a cancellation meanwhile does not stop that."""
        self._over.set()
        await asyncio.shield(asyncio.wait([self._owner]))

    async def _give_up(self) -> None:
        self._owner.cancel()
        await asyncio.shield(asyncio.wait([self._owner]))

    async def _own(self, server: McpServer, rules: McpRules, opened: asyncio.Future[None]) -> None:
        from mcp import Client
        from mcp.types import Implementation

        from runtimes.version import code_version

        try:
            async with AsyncExitStack() as stack:
                way = await stack.enter_async_context(transport(server, rules, self.words))
                self.client = await stack.enter_async_context(
                    Client(
                        way, client_info=Implementation(name="agent-data-platform", version=code_version())
                    )
                )
                if not opened.done():
                    opened.set_result(None)
                await self._over.wait()
        except Exception as error:
            # Once it was opened, those who call are told by their calls.
            if not opened.done():
                opened.set_exception(error)


def _not_opened(server: McpServer, error: BaseException, words: str) -> NotOpened:
    cause = _leaf(error)
    if isinstance(cause, ConfigurationError):
        return NotOpened("system_error", cause.message, cause.remedy)
    late = isinstance(cause, TimeoutError)
    reason = f"no answer within {OPEN_SECONDS:g} s" if late else short(cause)
    said = f" It said last:\n{words}" if words else ""
    return NotOpened(
        "network_error" if server.url else "system_error",
        f"The MCP server {server.name} could not be opened: {reason}.{said}",
        f"See `adp tools test {server.name}`.",
    )


def _leaf(error: BaseException) -> BaseException:
    """The one error behind groups of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def short(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).rstrip(".")[:500]
