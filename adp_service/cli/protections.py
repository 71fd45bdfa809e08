"""What stands between an agent's code and this host, by backend: the second table of `adp doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from adp_resources.settings import Settings
from sandbox import SandboxError
from sandbox.backends.choice import Examined, examine_all
from sandbox.backends.protections import MEANING, covered_by, protections_named, why_not

ROOM_FOR_MEANINGS = 120
"""Columns of a terminal; in a narrower one the meanings would take the room of the names."""


async def protections_table(settings: Settings, width: int) -> RenderableType:
    """A row a protection, a column a backend, each tried for real; below it what would raise it."""
    try:
        examined, groups = await examine_all(settings.sandbox_cgroup or None)
        minimum = protections_named(settings.sandbox_minimum)
    except (SandboxError, ValueError) as error:
        return Text(f"What protects this host was not looked at: {error}")
    names = Column("protection", no_wrap=True, overflow="fold")
    marks = (Column(found.name, no_wrap=True) for found in examined)
    means = ["means"] if width >= ROOM_FOR_MEANINGS else []
    table = Table(names, *marks, *means)
    for name, meaning in MEANING.items():
        cells = (_mark(found, name, name in minimum) for found in examined)
        table.add_row(f"{name} *" if name in minimum else name, *cells, *([meaning] if means else []))
    words = ["* is required (SANDBOX_MINIMUM).", _choice(settings.sandbox_backend, examined, minimum)]
    words += [f"{found.name} cannot be had: {found.problem}" for found in examined if found.problem]
    words += [line for found in examined if found.backend for line in _lacking(found, groups.missing)]
    words += [f"{name}: {reason}" for name, reason in groups.missing.items()]
    return Group(table, *map(Text, words))


def _mark(found: Examined, name: str, required: bool) -> str:
    if found.problem:
        return "-"
    if name in found.protections:
        return "[green]yes[/]"
    if required:
        return "[red]no[/]"
    return "covered" if covered_by(name, found.protections) else "no"


def _choice(wish: str, examined: list[Examined], minimum: frozenset[str]) -> str:
    """Which backend is used, or why the one that is wished for is not."""
    strong = [found.name for found in examined if minimum <= set(found.protections)]
    if wish == "auto":
        return (
            f"SANDBOX_BACKEND=auto takes {strong[0] if strong else 'none: no backend has what is required'}."
        )
    if wish in strong:
        return f"SANDBOX_BACKEND={wish} is used."
    wished = next((found for found in examined if found.name == wish), None)
    if wished is None or wished.problem:
        return f"SANDBOX_BACKEND={wish} cannot be had. Set it to auto{f' ({strong[0]})' if strong else ''}."
    lacking = ", ".join(sorted(minimum - set(wished.protections)))
    return f"SANDBOX_BACKEND={wish} is not used: it is without {lacking}, which SANDBOX_MINIMUM requires."


def _lacking(found: Examined, missing: Mapping[str, str]) -> Iterator[str]:
    """Why a backend is without some protections, one line a reason; `missing` is told by itself."""
    reasons: dict[str, list[str]] = {}
    for name in MEANING:
        if name in found.protections or name in missing:
            continue
        others = covered_by(name, found.protections)
        reason = f"it has {' and '.join(others)} instead" if others else why_not(found.name, name)
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        yield f"{found.name} without {', '.join(names)}: {reason}."
