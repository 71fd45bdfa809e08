"""Sessions with MCP servers: opened when first needed, opened anew after they were lost, closed for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from runtimes.errors import ConfigurationError, ToolError, ToolUnavailable
from runtimes.tools.mcp.guard import TOO_LONG
from runtimes.tools.mcp.servers import McpRules, McpServer
from runtimes.tools.mcp.transports import LastWords, transport

if TYPE_CHECKING:
    from mcp import Client, MCPError
    from mcp.types import CallToolResult, Tool

OPEN_SECONDS = 30.0
"""For a server to start and say what it is."""

ANSWER_SECONDS = 3.0
"""For a server that is in order to say so."""

_PAGES = 100
"""Of a list of tools, so that one without an end cannot hold us."""


class Connection:
    """The way to one server, for any number of calls at once; safe to close twice."""

    def __init__(self, server: McpServer, rules: McpRules) -> None:
        self.server = server
        self._rules = rules
        self._opening = asyncio.Lock()
        self._session: _Session | None = None
        self._not_opened: _NotOpened | None = None
        self._closed = False

    async def call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        """The server's answer, which may say that the call was wrong.

        Raises ToolUnavailable where the server is not to be had. ToolError for arguments it does not take,
        and for a call that took too long or failed within a server that then answers others: arguments can
        bring that about. A call to a shared server, whose sessions keep nothing, is made once more by a new
        session when the old one is gone.
        """
        if self.server.shared:
            try:
                return await self._call(tool, arguments)
            except _SessionLost:
                pass
        return await self._call(tool, arguments)

    async def tools(self) -> list[Tool]:
        """What it lists now. Raises ToolUnavailable as `call` does."""
        found: list[Tool] = []
        cursor = None
        async with self._in_use() as session:
            for _ in range(_PAGES):
                async with asyncio.timeout(OPEN_SECONDS):
                    page = await session.client.list_tools(cursor=cursor)
                found += page.tools
                cursor = page.next_cursor
                if cursor is None:
                    break
        return found

    async def aclose(self) -> None:
        self._closed = True
        async with self._opening:
            session, self._session = self._session, None
            if session is not None:
                await session.close()

    async def _call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        async with self._in_use() as session:
            return await session.client.call_tool(tool, arguments, read_timeout_seconds=self.server.timeout)

    @asynccontextmanager
    async def _in_use(self) -> AsyncIterator[_Session]:
        """The session, its errors turned into ours. One that was let go meanwhile ends with its last use."""
        session = await self._open_session()
        from mcp import MCPError
        from pydantic import ValidationError

        session.users += 1
        try:
            yield session
        except MCPError as error:
            raise await self._fault(session, error) from error
        except TimeoutError as error:
            raise self._late(OPEN_SECONDS) from error
        except (ValidationError, RuntimeError) as error:
            # RuntimeError: what the client raises for an answer that its tool's own schema forbids.
            kind = ToolError if await self._is_well(session) else ToolUnavailable
            raise kind(
                "system_error", f"The MCP server {self.server.name} broke its protocol: {_short(error)}."
            ) from error
        finally:
            session.users -= 1
            if session is not self._session and not session.users:
                await session.close()

    async def _open_session(self) -> _Session:
        before = self._not_opened
        async with self._opening:
            if self._closed:
                raise ToolUnavailable("system_error", f"The MCP server {self.server.name} was closed.")
            if self._session is None:
                if self._not_opened is not before and self._not_opened is not None:
                    # It was tried while we waited.
                    raise self._not_opened.again()
                try:
                    self._session = await _Session.open(self.server, self._rules)
                except _NotOpened as error:
                    self._not_opened = error
                    raise
            return self._session

    async def _fault(self, session: _Session, error: MCPError) -> ToolError:
        """What to raise for an error of the protocol; a session that is no good any more is let go."""
        from mcp.types import CONNECTION_CLOSED, INVALID_PARAMS, INVALID_REQUEST, REQUEST_TIMEOUT

        name = self.server.name
        if error.code == INVALID_PARAMS:
            return ToolError("runtime_error", f"The MCP server {name} refused the call: {_short(error)}.")
        # An address says by an invalid request that it does not know the session, as after its restart.
        if error.code == CONNECTION_CLOSED or (self.server.url and error.code == INVALID_REQUEST):
            self._let_go(session)
            words = str(session.words) or _short(error)
            if TOO_LONG in words:
                return ToolError(
                    "runtime_error", f"The MCP server {name} was ended: {words}", "Ask for less."
                )
            return _SessionLost(name, words)
        is_well = await self._is_well(session)
        if error.code == REQUEST_TIMEOUT:
            return self._late(self.server.timeout, is_well)
        kind = ToolError if is_well else ToolUnavailable
        return kind("system_error", f"The MCP server {name} failed: {_short(error)}.")

    def _late(self, seconds: float, is_well: bool = False) -> ToolError:
        told = f"The MCP server {self.server.name} gave no answer within {seconds:g} s"
        if is_well:
            return ToolError("timeout", f"{told}, though it answers now.", "Ask for less at once.")
        return ToolUnavailable("timeout", f"{told}.")

    async def _is_well(self, session: _Session) -> bool:
        """Whether the server answers, started anew if need be; what it was doing then was that call's doing.

        One that answers nothing may hang for good: whoever still waits keeps the old session.
        """
        if await session.answers():
            return True
        self._let_go(session)
        try:
            return await (await self._open_session()).answers()
        except ToolUnavailable:
            return False

    def _let_go(self, session: _Session) -> None:
        if self._session is session:
            self._session = None


class _NotOpened(ToolUnavailable):
    """The server did not start or was not reached."""

    def again(self) -> _NotOpened:
        """The same for another who waited for it."""
        return _NotOpened(self.error_type, self.message, self.remedy)


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
        except TimeoutError:
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


def _not_opened(server: McpServer, error: BaseException, words: str) -> _NotOpened:
    cause = _leaf(error)
    if isinstance(cause, ConfigurationError):
        return _NotOpened("system_error", cause.message, cause.remedy)
    late = isinstance(cause, TimeoutError)
    reason = f"no answer within {OPEN_SECONDS:g} s" if late else _short(cause)
    said = f" It said last:\n{words}" if words else ""
    return _NotOpened(
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
