"""The tools of a server as agents get them: names that providers take, schemas that are whole."""

from __future__ import annotations

import re
from typing import Any

import mcp.types
import pytest

from runtimes.errors import ConfigurationError
from runtimes.tools.mcp.servers import McpServer, McpTool
from runtimes.tools.mcp.tools import read_tool, tool_name, tools_of

SERVER = McpServer(name="files", url="https://mcp.example/", permission="trusted", timeout=7.0)


def read(**fields: Any) -> McpTool:
    return read_tool(SERVER, mcp.types.Tool(**{"name": "t", "input_schema": {"type": "object"}, **fields}))


@pytest.mark.parametrize("tool", ["read", "read.file", "a/b c", "数", "x" * 200])
def test_every_name_is_one_that_providers_take(tool: str) -> None:
    assert re.fullmatch(r"files__[A-Za-z0-9_-]+", tool_name("files", tool))
    assert len(tool_name("files", tool)) <= 64


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert tool_name("files", "x" * 100 + "1") != tool_name("files", "x" * 100 + "2")


def test_a_tool_has_its_servers_permission_breaker_and_time() -> None:
    server = McpServer(
        name="files", url=SERVER.url, permission="trusted", timeout=7.0, tools=(read(description="Reads."),)
    )
    (tool,) = tools_of(server)
    assert (tool.name, tool.description, tool.permission) == ("files__t", "Reads.", "trusted")
    assert tool.circuit == "files"
    assert tool.timeout > 7.0


def test_a_tool_that_only_reads_is_known_as_such() -> None:
    hints = mcp.types.ToolAnnotations(read_only_hint=True)
    assert (read(annotations=hints).read_only, read().read_only) == (True, False)


def test_a_schema_that_is_none_names_the_tool() -> None:
    with pytest.raises(
        ConfigurationError, match="The tool t of the MCP server files has no valid JSON schema"
    ):
        read(input_schema={"type": "objekt"})


def test_a_schema_that_refers_to_another_place_is_refused() -> None:
    inside = {
        "type": "object",
        "$defs": {"a": {"type": "string"}},
        "properties": {"x": {"$ref": "#/$defs/a"}},
    }
    assert read(input_schema=inside).parameters == inside
    for address in ("http://169.254.169.254/x", "file:///etc/passwd"):
        with pytest.raises(ConfigurationError, match="outside of it"):
            read(input_schema={"type": "object", "properties": {"x": {"anyOf": [{"$ref": address}]}}})
