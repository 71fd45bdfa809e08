"""The table of tools: MCP servers and skills that were registered, and rulings on tools there anyway.

A native tool, or a skill of SKILLS_DIR, has a row only where somebody switched it off or changed who may
use it.
"""

from __future__ import annotations

import shlex
import uuid
from pathlib import Path
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from adp_resources.database import Database
from adp_resources.tables import tools as table
from runtimes.errors import ConfigurationError
from runtimes.tools.mcp.servers import McpServer
from runtimes.tools.permissions import Permission
from runtimes.tools.skills import Skill
from runtimes.tools.toolbox import Ruling

Kind = Literal["NATIVE", "SKILL", "MCP"]


class ToolRow(Struct, frozen=True, kw_only=True):
    """One row. `schema` is a JSON schema, of an MCP server `{"tools": [...]}` with one for each tool.

    `endpoint` is a server's address or command line, a skill's folder; empty where nothing is registered.
    """

    id: str
    name: str
    schema: dict[str, Any]
    endpoint: str
    type: Kind
    config: dict[str, Any]
    is_active: bool
    permission_level: Permission

    def server(self) -> McpServer:
        """Of an MCP row. Raises ConfigurationError for one that something else wrote wrongly."""
        known = {"name": self.name, "permission": self.permission_level, "tools": self.schema.get("tools")}
        try:
            server = msgspec.convert({**self.config, **known}, McpServer)
            if bool(server.command) == bool(server.url):
                raise ValueError("it has neither command nor url, or both")
            return server
        except (msgspec.ValidationError, ValueError) as error:
            raise ConfigurationError(
                f"The row of the MCP server {self.name!r} in the table of tools cannot be read: {error}.",
                f"Remove it (`adp tools remove {self.name}`) and register the server again.",
            ) from error


class ToolTable:
    """What is stored of tools in the platform's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rows(self) -> list[ToolRow]:
        """Every row, by name."""
        with self._database.read() as connection:
            found = connection.execute(sa.select(table).order_by(table.c.name))
            # The driver's names are a subclass of str, which msgspec does not take.
            return [
                msgspec.convert({str(name): value for name, value in row.items()}, ToolRow)
                for row in found.mappings()
            ]

    def register_server(self, server: McpServer) -> None:
        """Store a server, in place of what had its name."""
        plain = msgspec.to_builtins(server)
        schema = {"tools": plain.pop("tools")}
        for known in ("name", "permission"):
            del plain[known]
        endpoint = server.url or shlex.join(server.command)
        self._put(server.name, "MCP", schema, endpoint, plain, permission=server.permission)

    def register_skill(self, skill: Skill, permission: Permission) -> None:
        """Store where a skill is; what it does is read from there each time."""
        self._put(skill.name, "SKILL", skill.parameters, str(skill.folder), {}, permission=permission)

    def rule(
        self, name: str, kind: Kind, schema: dict[str, Any], *, is_active: bool, permission: Permission
    ) -> None:
        """Store a decision about a tool that is there without being registered."""
        self._put(name, kind, schema, "", {}, permission=permission, is_active=is_active)

    def remove(self, name: str) -> bool:
        """Whether there was such a row."""
        with self._database.begin() as connection:
            return connection.execute(sa.delete(table).where(table.c.name == name)).rowcount > 0

    def _put(
        self,
        name: str,
        kind: Kind,
        schema: dict[str, Any],
        endpoint: str,
        config: dict[str, Any],
        *,
        permission: Permission,
        is_active: bool = True,
    ) -> None:
        values = {
            "type": kind,
            "schema": schema,
            "endpoint": endpoint,
            "config": config,
            "is_active": is_active,
            "permission_level": permission,
        }
        with self._database.begin() as connection:
            # The id stays: other systems may hold it.
            changed = connection.execute(sa.update(table).where(table.c.name == name).values(values))
            if not changed.rowcount:
                connection.execute(sa.insert(table).values(id=str(uuid.uuid4()), name=name, **values))


def servers_in(rows: list[ToolRow]) -> list[McpServer]:
    return [row.server() for row in rows if row.type == "MCP" and row.endpoint]


def skill_folders_in(rows: list[ToolRow]) -> list[Path]:
    return [Path(row.endpoint) for row in rows if row.type == "SKILL" and row.endpoint]


def rulings_in(rows: list[ToolRow]) -> dict[str, Ruling]:
    """What the rows decide about their names; the permission of a registered server is its own."""
    return {
        row.name: Ruling(
            row.is_active,
            None if row.type == "MCP" and row.endpoint else row.permission_level,
            "" if row.is_active else "switched off in this deployment",
        )
        for row in rows
    }
