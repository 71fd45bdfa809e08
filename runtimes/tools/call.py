"""One call of a tool, as every agent makes it: within its time, and not at all while the tool is cut off."""

from __future__ import annotations

import asyncio
from typing import Any

from runtimes.breaker import BreakerOpen
from runtimes.errors import ToolUnavailable
from runtimes.tools.base import Tool, Workbench


async def call_tool(tool: Tool, bench: Workbench, arguments: dict[str, Any]) -> str:
    """The observation of one call with arguments that its schema has passed.

    Raises ToolError for what the agent did wrong, ToolUnavailable where the tool itself failed, took longer
    than its `timeout` or is cut off because most of its calls did (`bench.unavailable` then has its name),
    InfrastructureError for what spoils the episode.
    """
    # Counted once an episode, or one that knows how to make a tool fail would take it from all others.
    again = tool.circuit_name in bench.failed_circuits
    try:
        with bench.services.toolbox.breaker(tool).call(ToolUnavailable, again=again):
            return await _in_time(tool, bench, arguments)
    except ToolUnavailable:
        bench.unavailable.add(tool.name)
        bench.failed_circuits.add(tool.circuit_name)
        raise
    except BreakerOpen as error:
        bench.unavailable.add(tool.name)
        raise ToolUnavailable(
            "system_error",
            f"{tool.name} is cut off for {error.retry_in:.0f} s more, as most of its calls failed.",
            "Go on without it, or try again later.",
        ) from error


async def _in_time(tool: Tool, bench: Workbench, arguments: dict[str, Any]) -> str:
    limit = None if tool.keeps_time else tool.timeout or None
    try:
        async with asyncio.timeout(limit) as deadline:
            return await tool.function(bench, **arguments)
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise ToolUnavailable("timeout", f"{tool.name} gave no answer within {tool.timeout:g} s.") from error
