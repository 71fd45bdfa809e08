"""The tools of one process: which there are, which of them a task may use, and what they share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runtimes.breaker import Breaker
from runtimes.tools.base import COMPLETE_TASK, Tool, Workbench
from runtimes.tools.mcp.connection import Connection
from runtimes.tools.mcp.servers import McpRules, McpServer
from runtimes.tools.mcp.tools import tools_of
from runtimes.tools.permissions import Permission, allows
from runtimes.tools.registry import grants

if TYPE_CHECKING:
    from runtimes.tools.skills import Skill


@dataclass(frozen=True)
class Ruling:
    """What was decided about a tool: whether it is on and if not why, and who may use it."""

    is_active: bool = True
    permission: Permission | None = None
    reason: str = ""


@dataclass
class Toolbox:
    """Every tool that tasks may name, and what its calls share. Close it when no episode runs any more.

    `level` is what tasks of this deployment may use. A name stands for one tool or several: a server's name
    for all that it lists. Of things with one name the native one is taken, then the skill.
    """

    level: Permission = "user"
    skills: Iterable[Skill] = ()
    servers: Iterable[McpServer] = ()
    rulings: Mapping[str, Ruling] = field(default_factory=dict)
    mcp_rules: McpRules = field(default_factory=McpRules)
    _breakers: dict[str, Breaker] = field(default_factory=dict)
    _connections: dict[str, Connection] = field(default_factory=dict)

    def all(self) -> dict[str, tuple[Tool, ...]]:
        """Every name and the tools it stands for, with the permissions they need; switched off or not."""
        found: dict[str, tuple[Tool, ...]] = {}
        for server in self.servers:
            tools = tools_of(server)
            found |= {server.name: tools, **{tool.name: (tool,) for tool in tools}}
        found |= {skill.name: (skill.tool(),) for skill in self.skills}
        found |= grants()
        return {name: tuple(self._ruled(name, tool) for tool in tools) for name, tools in found.items()}

    def _ruled(self, name: str, tool: Tool) -> Tool:
        """The tool with what was decided about it, or about the name it is granted by."""
        ruling = self.rulings.get(tool.name) or self.rulings.get(name)
        if ruling is None or ruling.permission is None:
            return tool
        return replace(tool, permission=ruling.permission)

    def grants(self) -> dict[str, tuple[Tool, ...]]:
        """What can be granted: of all, those that are not switched off, themselves or with their server."""
        off = {name for name, ruling in self.rulings.items() if not ruling.is_active}
        left = {
            name: tuple(tool for tool in tools if tool.name not in off and tool.circuit not in off)
            for name, tools in self.all().items()
            if name not in off
        }
        return {name: tools for name, tools in left.items() if tools}

    def toolset(self, expected: Iterable[str], default: Iterable[str]) -> tuple[list[Tool], list[str]]:
        """The tools an agent gets, and the names it does not get with, where there is one, the reason.

        `default` is what its runtime grants where the task names none. `complete_task` is always among them.
        """
        available = self.grants()
        tools: dict[str, Tool] = {}
        missing: list[str] = []
        for name in [*(list(expected) or default), COMPLETE_TASK]:
            if name not in available:
                ruling = self.rulings.get(name)
                missing.append(f"{name} ({ruling.reason})" if ruling and ruling.reason else name)
                continue
            for tool in available[name]:
                if allows(self.level, tool.permission):
                    tools[tool.name] = tool
                else:
                    missing.append(
                        f"{tool.name} (needs the permission {tool.permission}, tasks have {self.level})"
                    )
        return list(tools.values()), list(dict.fromkeys(missing))

    def names(self) -> list[str]:
        """What tasks of this deployment may name in `expected_tools`."""
        usable = self.grants().items()
        return [name for name, tools in usable if any(allows(self.level, tool.permission) for tool in tools)]

    def breaker(self, tool: Tool) -> Breaker:
        """The breaker of a tool, or of the server it is of."""
        return self._breakers.setdefault(tool.circuit_name, Breaker())

    def connection(self, server: McpServer, bench: Workbench) -> Connection:
        """The way to a server: one for all episodes where it is shared, else the episode's own."""
        if not server.shared:
            return bench.kept(f"mcp/{server.name}", lambda: Connection(server, self.mcp_rules))
        return self._connections.setdefault(server.name, Connection(server, self.mcp_rules))

    async def aclose(self) -> None:
        """Close the sessions that episodes shared. Safe to call twice."""
        connections = [self._connections.pop(name) for name in list(self._connections)]
        await asyncio.gather(*(connection.aclose() for connection in connections))
