"""Sessions with MCP servers: opened when first needed, opened anew after they were lost, closed for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from runtimes.errors import ToolError, ToolUnavailable
from runtimes.tools.mcp.guard import TOO_LONG
from runtimes.tools.mcp.servers import McpRules, McpServer
from runtimes.tools.mcp.session import OPEN_SECONDS, NotOpened, Session, short

if TYPE_CHECKING:
    from mcp import MCPError
    from mcp.types import CallToolResult, Tool

_PAGES = 100
"""Of a list of tools, so that one without an end cannot hold us."""


class Connection:
    """The way to one server, for any number of calls at once; safe to close twice."""

    def __init__(self, server: McpServer, rules: McpRules) -> None:
        self.server = server
        self._rules = rules
        self._opening = asyncio.Lock()
        self._session: Session | None = None
        self._not_opened: NotOpened | None = None
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
    async def _in_use(self) -> AsyncIterator[Session]:
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
                "system_error", f"The MCP server {self.server.name} broke its protocol: {short(error)}."
            ) from error
        finally:
            session.users -= 1
            if session is not self._session and not session.users:
                await session.close()

    async def _open_session(self) -> Session:
        before = self._not_opened
        async with self._opening:
            if self._closed:
                raise ToolUnavailable("system_error", f"The MCP server {self.server.name} was closed.")
            if self._session is None:
                if self._not_opened is not before and self._not_opened is not None:
                    # It was tried while we waited.
                    raise self._not_opened.again()
                try:
                    self._session = await Session.open(self.server, self._rules)
                except NotOpened as error:
                    self._not_opened = error
                    raise
            return self._session

    async def _fault(self, session: Session, error: MCPError) -> ToolError:
        """What to raise for an error of the protocol; a session that is no good any more is let go."""
        from mcp.types import CONNECTION_CLOSED, INVALID_PARAMS, INVALID_REQUEST, REQUEST_TIMEOUT

        name = self.server.name
        if error.code == INVALID_PARAMS:
            return ToolError("runtime_error", f"The MCP server {name} refused the call: {short(error)}.")
        # An address says by an invalid request that it does not know the session, as after its restart.
        if error.code == CONNECTION_CLOSED or (self.server.url and error.code == INVALID_REQUEST):
            self._let_go(session)
            words = str(session.words) or short(error)
            if TOO_LONG in words:
                return ToolError(
                    "runtime_error", f"The MCP server {name} was ended: {words}", "Ask for less."
                )
            return _SessionLost(name, words)
        is_well = await self._is_well(session)
        if error.code == REQUEST_TIMEOUT:
            return self._late(self.server.timeout, is_well)
        kind = ToolError if is_well else ToolUnavailable
        return kind("system_error", f"The MCP server {name} failed: {short(error)}.")

    def _late(self, seconds: float, is_well: bool = False) -> ToolError:
        told = f"The MCP server {self.server.name} gave no answer within {seconds:g} s"
        if is_well:
            return ToolError("timeout", f"{told}, though it answers now.", "Ask for less at once.")
        return ToolUnavailable("timeout", f"{told}.")

    async def _is_well(self, session: Session) -> bool:
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

    def _let_go(self, session: Session) -> None:
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
