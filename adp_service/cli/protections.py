"""What stands between an agent's code and this host, by backend: the second table of `adp doctor`."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from adp_resources.settings import Settings
from sandbox.backends.choice import Examined, examine_all
from sandbox.backends.protections import MEANING, protections_named


async def protections_table(settings: Settings) -> RenderableType:
    """A row a protection, a column a backend, each tried for real; below it what would raise it."""
    examined, groups = await examine_all(settings.sandbox_cgroup or None)
    minimum = protections_named(settings.sandbox_minimum)
    table = Table("protection", *(found.name for found in examined), "means")
    for name, meaning in MEANING.items():
        marks = (_mark(found, name, name in minimum) for found in examined)
        table.add_row(name, *marks, meaning)
    used = next((found.name for found in examined if minimum <= set(found.protections)), "none")
    words = [Text(f"SANDBOX_BACKEND={settings.sandbox_backend}: auto takes {used}.")]
    words += [Text(f"{found.name} cannot be had: {found.problem}") for found in examined if found.problem]
    words += [Text(f"{name}: {reason}") for name, reason in groups.missing.items()]
    return Group(table, *words)


def _mark(found: Examined, name: str, required: bool) -> str:
    if found.problem:
        return ""
    if name in found.protections:
        return "[green]yes[/]"
    return "[red]no[/]" if required else "no"
