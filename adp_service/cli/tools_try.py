"""`adp tools test`: calls a tool as an agent would, or asks a server whether it is as it was registered."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer
from rich.markup import escape

from adp_resources.resources import resources
from adp_resources.toolbox import mcp_rules
from adp_service.cli.output import console
from adp_service.cli.tools import NAME, Shelf
from adp_service.platform import Platform
from runtimes.calls import parse_arguments
from runtimes.contracts import TaskSpec
from runtimes.errors import ConfigurationError, ToolError
from runtimes.llm.base import BUILTIN
from runtimes.tools.base import Tool, Workbench
from runtimes.tools.call import call_tool
from runtimes.tools.mcp.servers import McpServer
from runtimes.tools.mcp.tools import listed


def try_tool(
    name: NAME,
    arguments: Annotated[
        str, typer.Argument(help="Arguments of one call, a JSON object; of a server without: its list.")
    ] = "",
) -> None:
    """Try a tool: `adp tools test time__get_current_time '{"timezone": "Asia/Tokyo"}'`."""
    platform = Platform({})
    shelf = Shelf(platform)
    tools = shelf.tools(name)
    server = next((server for server in shelf.toolbox.servers if server.name == name), None)
    if server is not None and not arguments:
        _compare(server, platform)
        return
    if len(tools) > 1:
        raise ConfigurationError(
            f"{name!r} stands for several tools.", f"Name one of {', '.join(tool.name for tool in tools)}."
        )
    clock = time.monotonic()
    try:
        observation = asyncio.run(_call(tools[0], arguments or "{}", platform))
    except ToolError as error:
        raise ConfigurationError(
            f"{name} failed ({error.error_type}): {error.message}", error.remedy
        ) from error
    console.print(escape(observation))
    console.print(f"[dim]{time.monotonic() - clock:.2f} s[/]")


async def _call(tool: Tool, arguments: str, platform: Platform) -> str:
    # With the built-in teacher, which costs nothing: it is not the model that is tried.
    services = resources(**platform.overrides, chosen_model=BUILTIN)["fanout"].services()
    task = TaskSpec(task_type="reasoning", description=f"Try {tool.name}.").named()
    async with services, Workbench(task, services) as bench:
        return await call_tool(tool, bench, parse_arguments(tool, arguments))


def _compare(server: McpServer, platform: Platform) -> None:
    clock = time.monotonic()
    now = {tool.name: tool for tool in asyncio.run(listed(server, mcp_rules(platform.settings)))}
    seconds = time.monotonic() - clock
    before = {tool.name: tool for tool in server.tools}
    changes = [f"new: {name}" for name in now.keys() - before.keys()]
    changes += [f"gone: {name}" for name in before.keys() - now.keys()]
    changes += [f"changed: {name}" for name in now.keys() & before.keys() if now[name] != before[name]]
    if changes:
        raise ConfigurationError(
            f"{server.name} answers, but lists other tools than it did: {', '.join(sorted(changes))}.",
            "Look at them, then register the server again.",
        )
    console.print(
        f"{escape(server.name)} answers and lists its {len(now)} tools as before ({seconds:.2f} s)."
    )
