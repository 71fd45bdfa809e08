"""`adp tools register`: an MCP server, a skill, or a decision about a tool that is there already."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer
from msgspec.structs import replace
from rich.markup import escape

from adp_resources.toolbox import mcp_rules
from adp_service.cli.output import console, note
from adp_service.cli.tools import Shelf, permission_of, schema_of
from adp_service.platform import Platform
from runtimes.errors import ConfigurationError
from runtimes.tools.mcp.servers import McpRules, McpServer, check_registration
from runtimes.tools.mcp.tools import listed
from runtimes.tools.permissions import Permission
from runtimes.tools.registry import grants
from runtimes.tools.skills import read_skill


def register_tool(
    name: Annotated[str, typer.Argument(help="The name by which tasks ask for it.")],
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- PROGRAM ARGUMENT...]", help="Starts an MCP server on this machine."),
    ] = None,
    url: Annotated[str, typer.Option(help="Address of an MCP server (streamable HTTP).")] = "",
    skill: Annotated[Path | None, typer.Option(help="Folder of a skill.")] = None,
    permission: Annotated[
        Permission | None, typer.Option(help="What a task needs to use it; else its own, or user.")
    ] = None,
    level: Annotated[
        Permission, typer.Option("--as", help="Your own permission; a program needs admin.")
    ] = "user",
    env: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for the program; ${NAME} is one of MCP_SECRETS.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for the address; ${NAME} is one of MCP_SECRETS.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds a call of a server may take.")] = 60.0,
    sessions: Annotated[
        Literal["auto", "shared", "episode"],
        typer.Option(
            help="One session for all episodes or one each; auto: shared where all tools only read."
        ),
    ] = "auto",
) -> None:
    """Register an MCP server or a skill, or switch a tool on again and say who may use it.

    A server is asked for its tools once, now: what it lists later is not given to agents unseen.
    """
    platform = Platform({})
    shelf = Shelf(platform)
    if sum(map(bool, (command, url, skill))) > 1:
        raise ConfigurationError("Give one of a program, --url and --skill.", "`adp tools register --help`")
    if command or url:
        _check_free(name, shelf)
        server = McpServer(
            name=name,
            command=tuple(command or ()),
            url=url,
            env=_pairs("--env", env),
            headers=_pairs("--header", header),
            permission=permission or "user",
            timeout=timeout,
            shared=sessions == "shared",
        )
        server = asyncio.run(_with_tools(server, mcp_rules(platform.settings), level, sessions == "auto"))
        shelf.table.register_server(server)
        how = "one session for all episodes" if server.shared else "a session an episode"
        console.print(f"Registered {escape(name)} (MCP, {how}), which has {len(server.tools)} tools:")
        console.print(", ".join(escape(tool.name) for tool in server.tools))
    elif skill is not None:
        _register_skill(name, skill, permission, shelf)
    else:
        tools = shelf.tools(name)
        kind = shelf.kind(name)
        if name in {server.name for server in shelf.toolbox.servers}:
            raise ConfigurationError(
                f"{name!r} is an MCP server.", "Register the server again, with its program or --url."
            )
        chosen = permission or permission_of(tools)
        shelf.table.rule(name, kind, schema_of(tools), is_active=True, permission=chosen)
        console.print(f"{escape(name)} ({kind}) is on, for tasks of the permission {chosen}.")


async def _with_tools(server: McpServer, rules: McpRules, level: Permission, auto: bool) -> McpServer:
    check_registration(server, rules, level)
    tools = await listed(server, rules)
    shared = all(tool.read_only for tool in tools) if auto else server.shared
    return replace(server, tools=tools, shared=shared)


def _register_skill(name: str, folder: Path, permission: Permission | None, shelf: Shelf) -> None:
    skill = read_skill(folder.absolute())
    if skill.name != name:
        raise ConfigurationError(f"The skill in {folder} is called {skill.name!r}, not {name!r}.")
    _check_free(name, shelf, also="SKILL")
    shelf.table.register_skill(skill, permission or skill.permission)
    console.print(f"Registered {escape(name)} (SKILL) from {escape(str(skill.folder))}.")
    if not skill.entry_point:
        note("It names no entry_point: agents are given its instructions and files.")


def _check_free(name: str, shelf: Shelf, also: str = "MCP") -> None:
    """Raise ConfigurationError where the name is another's; registering the same again replaces it."""
    if name in shelf.toolbox.all() and (kind := shelf.kind(name)) != also:
        raise ConfigurationError(f"{name!r} is the name of a tool already ({kind}).", "Choose another.")
    if name in grants():
        raise ConfigurationError(f"{name!r} is the name of a native tool.", "Choose another.")


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    pairs = {}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise ConfigurationError(f"{option} {pair!r} is not NAME=VALUE.")
        pairs[name] = value
    return pairs
