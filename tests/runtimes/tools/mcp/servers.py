"""The unruly server registered, workbenches to call it from, and whether processes are still there."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from runtimes.services import Services
from runtimes.tools.base import Workbench
from runtimes.tools.call import call_tool
from runtimes.tools.mcp.servers import McpRules, McpServer, McpTool
from runtimes.tools.toolbox import Toolbox
from tests.e2e.waiting import until
from tests.runtimes.scripted import code_task

PROGRAM = Path(__file__).with_name("unruly.py")
NAMES = ("count", "whoami", "die", "hang", "leave_behind", "big", "flood", "fail", "refuse")
TOOLS = tuple(McpTool(name, name, {"type": "object"}) for name in NAMES)


def unruly(**fields: Any) -> McpServer:
    """The unruly server, started here unless `url` says otherwise."""
    start: dict[str, Any] = {} if "url" in fields else {"command": (sys.executable, str(PROGRAM))}
    return McpServer(**{"name": "unruly", "tools": TOOLS, **start, **fields})


@asynccontextmanager
async def toolbox(
    *servers: McpServer, hosts: Iterable[str] = (), secrets: dict[str, str] | None = None
) -> AsyncIterator[Toolbox]:
    """A toolbox with these servers, closed in the end."""
    rules = McpRules((sys.executable,), tuple(hosts), secrets or {})
    box = Toolbox(servers=servers, mcp_rules=rules)
    try:
        yield box
    finally:
        await box.aclose()


def workbench(box: Toolbox) -> Workbench:
    """An episode's, with nothing but tools."""
    return Workbench(code_task(), Services(None, None, None, toolbox=box))  # type: ignore[arg-type]


async def call(bench: Workbench, name: str, **arguments: Any) -> str:
    """One call as an agent makes it."""
    tools, missing = bench.services.toolbox.toolset([f"unruly__{name}"], [])
    assert missing == []
    return await call_tool(tools[0], bench, arguments)


def pid_in(text: str) -> int:
    return int(text.partition("pid ")[2].split()[0])


def is_alive(pid: int) -> bool:
    """Whether it runs; one that only waits for its parent to take notice has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def ended(*pids: int) -> bool:
    """True once these processes have ended. Raises TimeoutError where they do not."""
    return await asyncio.to_thread(until, lambda: not any(map(is_alive, pids)), "processes to end")


async def gone(folder: str) -> bool:
    """True once there is no such folder. Raises TimeoutError where it stays."""
    return await asyncio.to_thread(until, lambda: not os.path.exists(folder), f"{folder} to go")


def processes_below(pid: int) -> set[int]:
    """A process and all its descendants."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                stat = Path(f"/proc/{name}/stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(name)] = int(stat.rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found
