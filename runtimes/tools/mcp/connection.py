"""Sessions with MCP servers: opened when first needed, opened anew after they were lost, closed for good."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from runtimes.errors import ConfigurationError, PlatformError, ToolError, ToolUnavailable
from runtimes.tools.mcp.servers import McpRules, McpServer
from runtimes.tools.mcp.transports import LastWords, transport

if TYPE_CHECKING:
    from mcp import Client, MCPError
    from mcp.types import CallToolResult, Tool

OPEN_SECONDS = 30.0
"""For a server to start and say what it is."""

_PAGES = 100
"""Of a list of tools, so that one without an end cannot hold us."""


class Connection:
    """The way to one server, for any number of calls at once; safe to close twice."""

    def __init__(self, server: McpServer, rules: McpRules) -> None:
        self.server = server
        self._rules = rules
        self._opening = asyncio.Lock()
        self._session: _Session | None = None
        self._closed = False

    async def call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        """The server's answer, which may say that the call was wrong.

        Raises ToolUnavailable where the server is not to be had, gave no answer in time or died meanwhile;
        the next call opens a new session. A call to a shared server, whose sessions keep nothing, is made
        once more by a new session when the old one is gone. ToolError for arguments it does not take.
        """
        if self.server.shared:
            try:
                return await self._call(tool, arguments)
            except _SessionLost:
                pass
        return await self._call(tool, arguments)

    async def tools(self) -> list[Tool]:
        """What it lists now. Raises ToolUnavailable as `call` does."""
        from mcp import MCPError

        session = await self._open_session()
        found: list[Tool] = []
        cursor = None
        try:
            for _ in range(_PAGES):
                page = await session.client.list_tools(cursor=cursor)
                found += page.tools
                cursor = page.next_cursor
                if cursor is None:
                    break
        except MCPError as error:
            raise await self._fault(session, error) from error
        return found

    async def aclose(self) -> None:
        self._closed = True
        async with self._opening:
            session, self._session = self._session, None
            if session is not None:
                await session.close()

    async def _call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        from mcp import MCPError
        from pydantic import ValidationError

        session = await self._open_session()
        session.users += 1
        try:
            return await session.client.call_tool(tool, arguments, read_timeout_seconds=self.server.timeout)
        except MCPError as error:
            raise await self._fault(session, error) from error
        except (ValidationError, RuntimeError) as error:
            # RuntimeError: what the client raises for an answer that its tool's own schema forbids.
            raise ToolUnavailable(
                "system_error", f"The MCP server {self.server.name} broke its protocol: {_short(error)}."
            ) from error
        finally:
            session.users -= 1
            if session is not self._session and not session.users:
                await session.close()

    async def _open_session(self) -> _Session:
        async with self._opening:
            if self._closed:
                raise ToolUnavailable("system_error", f"The MCP server {self.server.name} was closed.")
            if self._session is None:
                self._session = await _Session.open(self.server, self._rules)
            return self._session

    async def _fault(self, session: _Session, error: MCPError) -> ToolError:
        """What to raise for an error of the protocol; a session that is no good any more is let go."""
        from mcp.types import CONNECTION_CLOSED, INVALID_PARAMS, INVALID_REQUEST, REQUEST_TIMEOUT

        name = self.server.name
        if error.code == INVALID_PARAMS:
            return ToolError("runtime_error", f"The MCP server {name} refused the call: {_short(error)}.")
        if error.code == REQUEST_TIMEOUT:
            if self.server.shared:  # it may hang for good; who is still waiting keeps the old session
                self._let_go(session)
            return ToolUnavailable(
                "timeout", f"The MCP server {name} gave no answer within {self.server.timeout:g} s."
            )
        # An address says by an invalid request that it does not know the session, as after its restart.
        if error.code == CONNECTION_CLOSED or (self.server.url and error.code == INVALID_REQUEST):
            self._let_go(session)
            return _SessionLost(name, str(session.words) or _short(error))
        return ToolUnavailable("system_error", f"The MCP server {name} failed: {_short(error)}.")

    def _let_go(self, session: _Session) -> None:
        if self._session is session:
            self._session = None


class _SessionLost(ToolUnavailable):
    """The server, or its memory of us, is gone."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(
            "system_error",
            f"The session with the MCP server {name} broke off. It said last: {words.rstrip('.')}.",
            "Whether the call was carried out is not known. The next call opens a new session, without what"
            " the old one kept.",
            error_class="crashed",
        )


class _Session:
    """One open session and the task that owns it: its scopes must be left by the task that entered them."""

    def __init__(self, words: LastWords) -> None:
        self.words = words
        self.users = 0
        self.client: Client
        self._over = asyncio.Event()
        self._owner: asyncio.Task[None]

    @classmethod
    async def open(cls, server: McpServer, rules: McpRules) -> _Session:
        """Raises ToolUnavailable saying what the server said last."""
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


def _not_opened(server: McpServer, error: BaseException, words: str) -> PlatformError:
    cause = _leaf(error)
    if isinstance(cause, ConfigurationError):
        return ToolUnavailable("system_error", cause.message, cause.remedy)
    late = isinstance(cause, TimeoutError)
    reason = f"no answer within {OPEN_SECONDS:g} s" if late else _short(cause)
    said = f" It said last:\n{words}" if words else ""
    return ToolUnavailable(
        "network_error" if server.url else "system_error",
        f"The MCP server {server.name} could not be opened: {reason}.{said}",
        f"See `adp tools test {server.name}`.",
    )


def _leaf(error: BaseException) -> BaseException:
    """The one error behind groups of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _short(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).rstrip(".")[:500]
