"""The tools of a registered server as agents get them, and what a server lists when it is asked."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from runtimes.errors import ConfigurationError, ToolError
from runtimes.tools.arguments import mistake_in
from runtimes.tools.base import Tool, ToolFunction, Workbench
from runtimes.tools.mcp.connection import Connection
from runtimes.tools.mcp.results import observation
from runtimes.tools.mcp.servers import McpRules, McpServer, McpTool
from runtimes.tools.mcp.session import ANSWER_SECONDS, OPEN_SECONDS

if TYPE_CHECKING:
    import mcp.types

BETWEEN = "__"
"""Between the names of a server and of its tool."""

_MAX_NAME_CHARACTERS = 64  # what providers take for the name of a function
_MAX_DESCRIPTION_CHARACTERS = 1024


def tools_of(server: McpServer) -> tuple[Tool, ...]:
    """Its tools as they were listed when it was registered, named `server__tool`."""
    return tuple(
        Tool(
            name=tool_name(server.name, tool.name),
            description=tool.description,
            parameters=tool.parameters,
            action_type="tool_call",
            function=_function(server, tool.name),
            permission=server.permission,
            timeout=server.timeout + 2 * (OPEN_SECONDS + ANSWER_SECONDS),
            circuit=server.name,
        )
        for tool in server.tools
    )


def tool_name(server: str, tool: str) -> str:
    """`server__tool` in the letters and length that providers take; a digest keeps cut names apart."""
    name = f"{server}{BETWEEN}{re.sub(r'[^A-Za-z0-9_-]', '_', tool)}"
    if len(name) <= _MAX_NAME_CHARACTERS:
        return name
    return f"{name[: _MAX_NAME_CHARACTERS - 9]}_{hashlib.sha256(tool.encode()).hexdigest()[:8]}"


def _function(server: McpServer, tool: str) -> ToolFunction:
    async def call(bench: Workbench, /, **arguments: Any) -> str:
        connection = bench.services.toolbox.connection(server, bench)
        return observation(await connection.call(tool, arguments))

    return call


async def listed(server: McpServer, rules: McpRules) -> tuple[McpTool, ...]:
    """What the server lists now, by a session for that alone.

    Raises ConfigurationError where it cannot be reached or lists what cannot be used.
    """
    connection = Connection(server, rules)
    try:
        found = await connection.tools()
    except ToolError as error:
        raise ConfigurationError(error.message, error.remedy) from error
    finally:
        await connection.aclose()
    tools = tuple(read_tool(server, tool) for tool in found)
    names = {tool_name(server.name, tool.name) for tool in tools}
    if len(names) < len(tools):
        raise ConfigurationError(f"The MCP server {server.name} lists two tools of one name.")
    if not tools:
        raise ConfigurationError(f"The MCP server {server.name} lists no tools.")
    return tools


def read_tool(server: McpServer, tool: mcp.types.Tool) -> McpTool:
    """What is kept of a tool as listed. Raises ConfigurationError for a schema that cannot be used."""
    schema = tool.input_schema
    if mistake := mistake_in(schema):
        raise ConfigurationError(
            f"The tool {tool.name} of the MCP server {server.name} has no valid JSON schema: {mistake}."
        )
    if foreign := _foreign_reference(schema):
        # Whoever checks arguments by it would fetch what it names.
        raise ConfigurationError(
            f"The schema of {tool.name} of the MCP server {server.name} refers to {foreign!r},"
            " which is outside of it."
        )
    hints = tool.annotations
    return McpTool(
        name=tool.name,
        description=(tool.description or tool.title or tool.name)[:_MAX_DESCRIPTION_CHARACTERS],
        parameters=schema,
        read_only=bool(hints and hints.read_only_hint),
    )


def _foreign_reference(schema: Any) -> str | None:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str) and not value.startswith("#"):
                return value
            if found := _foreign_reference(value):
                return found
    elif isinstance(schema, list):
        return next(filter(None, map(_foreign_reference, schema)), None)
    return None
