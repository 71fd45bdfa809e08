"""`adp doctor`: whether everything a round needs is here, each finding with its remedy."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

import typer
from rich.markup import escape
from rich.table import Column, Table

from adp_resources.resources import resources
from adp_resources.settings import secret_redactor
from adp_service.cli.output import console, print_table
from adp_service.cli.protections import protections_table
from adp_service.cli.tools import Shelf
from adp_service.platform import Platform
from runtimes.errors import PlatformError
from runtimes.llm.base import BUILTIN
from runtimes.llm.client import OpenAIChat
from runtimes.llm.failover import Failover
from runtimes.llm.providers import choose_model
from runtimes.registry import create_runtime, task_types

MIN_FREE_BYTES = 1 << 30
ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `remedy` is empty when it is well."""

    subject: str
    well: bool
    said: str
    remedy: str = ""


def doctor() -> None:
    """Check what a round needs, from Python to the browser; exit 1 if one thing is not well."""
    platform = Platform({})
    checks: dict[str, Callable[[Platform], str]] = {
        "python": _python,
        "disk": _disk,
        "database": _database,
        "dagster": _dagster,
        "tools": _tools,
    }
    found = [_examine(subject, check, platform) for subject, check in checks.items()]
    found += asyncio.run(_models(platform))
    found += asyncio.run(_runtimes(platform))
    table = Table(*(Column(name, overflow="fold") for name in ("", "what", "finding", "remedy")))
    # A provider may repeat the key it refuses.
    redacted = secret_redactor(platform.settings).text
    for finding in found:
        mark = "[green]ok[/]" if finding.well else "[red]bad[/]"
        table.add_row(mark, finding.subject, escape(redacted(finding.said)), escape(redacted(finding.remedy)))
    print_table(table)
    console.print(asyncio.run(protections_table(platform.settings, console.width)))
    if not all(finding.well for finding in found):
        raise typer.Exit(1)


def _examine(subject: str, check: Callable[[Platform], str], platform: Platform) -> Finding:
    try:
        return Finding(subject, True, check(platform))
    except PlatformError as error:
        return Finding(subject, False, error.message, error.remedy)


async def _models(platform: Platform) -> list[Finding]:
    """Who would be asked, in their order, and whether each is there and takes its key."""
    try:
        chat = choose_model(platform.settings.model_choice())
    except PlatformError as error:
        return [Finding("model", False, error.message, error.remedy)]
    if not isinstance(chat, Failover):
        return [Finding("model", True, f"{chat.model} ({chat.provider})")]
    try:
        return await asyncio.gather(*map(_answers, chat.clients))
    finally:
        await chat.aclose()


async def _answers(client: OpenAIChat) -> Finding:
    try:
        await client.check(ANSWER_SECONDS)
    except PlatformError as error:
        return Finding("model", False, error.message, error.remedy)
    return Finding("model", True, f"{client.model} ({client.provider} at {client.base_url} answers)")


async def _runtimes(platform: Platform) -> list[Finding]:
    """Every runtime's own proof that it could take a task now."""
    # With the built-in teacher, which is always there: the model has a check of its own.
    services = resources(**platform.overrides, chosen_model=BUILTIN)["fanout"].services()
    found = []
    async with services:
        for kind in task_types():
            runtime = create_runtime(kind, services)
            health = await runtime.health_check()
            said = health.detail or "takes tasks"
            found.append(Finding(runtime.runtime_id, health.healthy, said, health.remedy))
    return found


def _python(platform: Platform) -> str:
    return sys.version.split()[0]


def _disk(platform: Platform) -> str:
    folder = platform.settings.project_root
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        raise PlatformError(f"{free / 1e9:.1f} GB free in {folder}", "Free space, or set OUTPUT_DIR.")
    return f"{free / 1e9:.0f} GB free"


def _database(platform: Platform) -> str:
    return f"{platform.database.engine.url.render_as_string(hide_password=True)}, schema up to date"


def _dagster(platform: Platform) -> str:
    return f"home {platform.instance.root_directory}"


def _tools(platform: Platform) -> str:
    shelf = Shelf(platform)
    if shelf.faults:
        raise shelf.faults[0]
    return f"{len(shelf.toolbox.names())} names that tasks may use"
