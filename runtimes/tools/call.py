"""One call of a tool, as every agent makes it: within its time."""

from __future__ import annotations

import asyncio
from typing import Any

from runtimes.errors import ToolUnavailable
from runtimes.tools.base import Tool, Workbench


async def call_tool(tool: Tool, bench: Workbench, arguments: dict[str, Any]) -> str:
    """The observation of one call with arguments that its schema has passed.

    Raises ToolError for what the agent did wrong, ToolUnavailable where the tool itself failed or took longer
    than its `timeout`, InfrastructureError for what spoils the episode.
    """
    try:
        async with asyncio.timeout(tool.timeout or None) as deadline:
            return await tool.function(bench, **arguments)
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise ToolUnavailable("timeout", f"{tool.name} gave no answer within {tool.timeout:g} s.") from error
