"""`adp tools list`, `show` and `remove`: which tools tasks may name here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from adp_resources.tool_table import Kind, ToolRow, ToolTable, skill_folders_in
from adp_resources.toolbox import toolbox_of
from adp_service.cli.output import console, fields, note
from adp_service.platform import Platform
from runtimes.errors import ConfigurationError
from runtimes.tools.base import Tool
from runtimes.tools.permissions import Permission, allows
from runtimes.tools.registry import grants
from runtimes.tools.skills import find_skills
from runtimes.tools.toolbox import Toolbox

OTHERS = 32
"""Characters that the columns between the first and the last take."""

NAME = Annotated[str, typer.Argument(help="A name as `adp tools list` shows it.", metavar="NAME")]


def list_tools(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with the schemas.")] = False,
) -> None:
    """List every tool that tasks may name, what it is, and who may use it."""
    shelf = Shelf(Platform({}))
    rows = shelf.entries()
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    widest = max((len(row["name"]) for row in rows), default=0)
    room = max(20, console.width - widest - OTHERS)  # a cut name could not be given to the other commands
    table = Table(
        *(Column(title, no_wrap=True) for title in ("name", "type", "permission", "state", "what")),
        box=None,
        pad_edge=False,
    )
    for row in rows:
        what = row["what"] if len(row["what"]) <= room else f"{row['what'][: room - 1]}…"
        table.add_row(escape(row["name"]), row["type"], row["permission_level"], row["state"], escape(what))
    console.print(table)
    console.print(f"Tasks here may use what needs the permission {shelf.toolbox.level} (TOOL_PERMISSION).")
    for fault in shelf.faults:
        note(str(fault))


def show_tool(name: NAME) -> None:
    """Show one tool, or all that a name stands for, with their JSON schemas."""
    shelf = Shelf(Platform({}))
    tools = shelf.tools(name)
    row = shelf.rows.get(name)
    ruling = shelf.toolbox.rulings.get(name)
    reason = f": {ruling.reason}" if ruling is not None and ruling.reason else ""
    fields(
        {
            "name": name,
            "type": shelf.kind(name),
            "state": f"{shelf.state(name, tools)}{reason}",
            **({"endpoint": row.endpoint, "id": row.id} if row is not None else {}),
        }
    )
    for tool in tools:
        console.rule(escape(tool.name))
        console.print(escape(tool.description))
        limit = f"{tool.timeout:g} s" if tool.timeout else "as long as the episode"
        fields({"permission": tool.permission, "timeout": limit})
        console.print(escape(json.dumps(tool.parameters, ensure_ascii=False, indent=2)))


def remove_tool(name: NAME) -> None:
    """Forget a registered server or skill; switch a tool off that is there without being registered."""
    platform = Platform({})
    table = ToolTable(platform.database)
    # Before anything else is read of the rows: one that cannot be read must be removable.
    registered = next((row for row in table.rows() if row.name == name and row.endpoint), None)
    if registered is not None:
        table.remove(name)
        console.print(f"Removed {escape(name)} ({registered.type}).")
        return
    shelf = Shelf(platform)
    kind = shelf.kind(name)
    tools = shelf.tools(name)
    permission = tools[0].permission
    shelf.table.rule(name, kind, schema_of(tools), is_active=False, permission=permission)
    console.print(f"Switched {escape(name)} off. `adp tools register {escape(name)}` switches it on again.")


class Shelf:
    """All that is there, whether tasks may use it or not."""

    def __init__(self, platform: Platform) -> None:
        settings = platform.settings
        self.table = ToolTable(platform.database)
        self.rows: dict[str, ToolRow] = {row.name: row for row in self.table.rows()}
        self.toolbox: Toolbox = toolbox_of(settings, platform.database)
        folder = settings.path(settings.skills_dir)
        _, self.faults = find_skills(folder, skill_folders_in(list(self.rows.values())))

    def tools(self, name: str) -> tuple[Tool, ...]:
        """What a name stands for, switched off or not. Raises ConfigurationError for an unknown one."""
        found = self.toolbox.all().get(name)
        if found is None:
            known = ", ".join(self.toolbox.all())
            raise ConfigurationError(f"There is no tool {name!r}.", f"There are: {known}.")
        return found

    def kind(self, name: str) -> Kind:
        self.tools(name)
        if name in grants():
            return "NATIVE"
        return "SKILL" if name in {skill.name for skill in self.toolbox.skills} else "MCP"

    def state(self, name: str, tools: Iterable[Tool]) -> str:
        ruling = self.toolbox.rulings.get(name)
        if ruling is not None and not ruling.is_active:
            return "off"
        usable = any(allows(self.toolbox.level, tool.permission) for tool in tools)
        return "on" if usable else "withheld"

    def entries(self) -> list[dict[str, Any]]:
        """A row a name that stands for tools; those of a server are in its row."""
        servers = {server.name for server in self.toolbox.servers}
        entries = []
        for name, tools in sorted(self.toolbox.all().items()):
            if name not in servers and any(tool.circuit in servers for tool in tools):
                continue
            row = self.rows.get(name)
            several = len(tools) > 1
            entries.append(
                {
                    "id": row.id if row is not None else None,
                    "name": name,
                    "type": self.kind(name),
                    "permission_level": tools[0].permission,
                    "is_active": self.state(name, tools) != "off",
                    "state": self.state(name, tools),
                    "what": f"{len(tools)} tools: {', '.join(t.name for t in tools)}"
                    if several
                    else tools[0].description,
                    "endpoint": row.endpoint if row is not None else "",
                    "schema": schema_of(tools),
                }
            )
        return entries


def schema_of(tools: Iterable[Tool]) -> dict[str, Any]:
    """As the table of tools stores it."""
    found = [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in tools
    ]
    return found[0]["parameters"] if len(found) == 1 else {"tools": found}  # type: ignore[return-value]


def permission_of(tools: Iterable[Tool]) -> Permission:
    return next(iter(tools)).permission
