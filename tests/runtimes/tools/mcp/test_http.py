"""A server at an address: real HTTP, to allowed hosts only, again after a restart."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from mcp.server import MCPServer
from starlette.requests import Request
from starlette.responses import Response

from runtimes.errors import ConfigurationError, ToolUnavailable
from runtimes.tools.mcp.servers import McpRules, McpTool
from runtimes.tools.mcp.tools import listed
from tests.runtimes.tools.mcp.servers import call, toolbox, unruly, workbench


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@asynccontextmanager
async def serving(port: int, token: str = "") -> AsyncIterator[str]:
    """A server with a counter, which wants `token` if there is one; its address."""
    server = MCPServer("counter")
    calls = 0

    @server.tool()
    def count() -> int:
        nonlocal calls
        calls += 1
        return calls

    @server.tool()
    def big(megabytes: int) -> str:
        return "x" * (megabytes << 20)

    app: Any = server.streamable_http_app()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and token and Request(scope).headers.get("authorization") != token:
            await Response(status_code=401)(scope, receive, send)
        else:
            await app(scope, receive, send)

    config = uvicorn.Config(guarded, log_level="error", timeout_graceful_shutdown=1)
    http = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", port))  # at once, so that nobody need wait for it
    task = asyncio.create_task(http.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        http.should_exit = True
        await task
        listener.close()


async def test_tools_are_listed_and_called_over_http() -> None:
    port = free_port()
    async with serving(port) as url:
        rules = McpRules(hosts=(f"127.0.0.1:{port}",))
        tools = await listed(unruly(url=url), rules)
        assert [tool.name for tool in tools] == ["count", "big"]
        async with toolbox(unruly(url=url, tools=tools), hosts=rules.hosts) as box, workbench(box) as bench:
            assert [await call(bench, "count"), await call(bench, "count")] == ["1", "2"]


async def test_an_answer_that_would_fill_our_memory_is_refused() -> None:
    port = free_port()
    async with serving(port) as url:
        server = unruly(url=url, tools=(McpTool("big", "big", {"type": "object"}),), timeout=20.0)
        async with toolbox(server, hosts=[f"127.0.0.1:{port}"]) as box, workbench(box) as bench:
            assert len(await call(bench, "big", megabytes=4)) < 10_000
            with pytest.raises(ToolUnavailable):
                await call(bench, "big", megabytes=17)


async def test_a_host_that_is_not_allowed_is_not_asked() -> None:
    port = free_port()
    async with serving(port) as url, toolbox(unruly(url=url)) as box, workbench(box) as bench:
        with pytest.raises(ToolUnavailable, match=r"not granted.*MCP_ALLOWED_HOSTS"):
            await call(bench, "count")


async def test_a_name_that_only_a_star_allows_never_leads_into_this_machine() -> None:
    port = free_port()
    async with serving(port):
        server = unruly(url=f"http://localhost:{port}/mcp")
        async with toolbox(server, hosts=[f"*:{port}"]) as box, workbench(box) as bench:
            with pytest.raises(ToolUnavailable, match="loopback address"):
                await call(bench, "count")


async def test_a_header_carries_a_secret_and_without_it_the_refusal_is_told() -> None:
    port = free_port()
    async with serving(port, token="Bearer s3cret") as url:
        server = unruly(url=url, headers={"Authorization": "Bearer ${github}"})
        for secret, allowed in (("s3cret", True), ("wrong", False)):
            box = toolbox(server, hosts=[f"127.0.0.1:{port}"], secrets={"github": secret})
            async with box as opened, workbench(opened) as bench:
                if allowed:
                    assert await call(bench, "count") == "1"
                    continue
                with pytest.raises(ToolUnavailable, match="could not be opened"):
                    await call(bench, "count")


async def test_a_server_that_was_restarted_is_used_again_by_a_new_session() -> None:
    port = free_port()
    server = unruly(url=f"http://127.0.0.1:{port}/mcp")
    async with toolbox(server, hosts=[f"127.0.0.1:{port}"]) as box, workbench(box) as bench:
        async with serving(port):
            assert await call(bench, "count") == "1"
        with pytest.raises(ToolUnavailable):
            await call(bench, "count")
        async with serving(port):
            assert "1" in [await _tried(bench) for _ in range(2)]


async def _tried(bench: Any) -> str:
    try:
        return await call(bench, "count")
    except ToolUnavailable as error:
        return str(error)


async def test_an_address_where_nothing_answers_cannot_be_registered() -> None:
    port = free_port()
    with pytest.raises(ConfigurationError, match="could not be opened"):
        await listed(unruly(url=f"http://127.0.0.1:{port}/mcp"), McpRules(hosts=(f"127.0.0.1:{port}",)))
