"""How the command talks: one console for results, one for what went wrong, and the tables they share."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from adp_resources.settings import secret_redactor

SHOWN = 400
"""Characters of a cause: more than the address of a server and what it said take."""

FIELD = 60
"""Characters of a line of a field's value, which stands beside its label in a window of 80."""

UNBOUNDED = 100_000
"""Characters of a line that nobody's window holds."""

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def complain(message: str, remedy: str = "") -> None:
    """An error on standard error: what happened, then the way out."""
    redactor = secret_redactor()
    errors.print(Text.assemble(("error: ", "bold red"), redactor.text(message)))
    if remedy:
        errors.print(Text.assemble(("  try: ", "bold"), redactor.text(remedy)))


def note(message: str, on: Console = errors) -> None:
    """Something a person should know that is no error."""
    on.print(Text.assemble(("note: ", "bold yellow"), secret_redactor().text(message)))


def in_short(text: str, most: int = SHOWN) -> str:
    """A text of any length as one line of `most` characters at most."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def print_table(table: Table) -> None:
    """A table: as wide as it must be in a pipe or a file, and within its window in a terminal."""
    if console.is_terminal:
        console.print(table)
    else:
        Console(highlight=False, soft_wrap=True, width=UNBOUNDED).print(table)


def id_column(name: str, ids: Iterable[str]) -> Column:
    """A column of ids, which are never cut nor folded, so that they can be copied into a command."""
    return Column(name, no_wrap=True, min_width=max(map(cell_len, ids), default=0))


def shown_path(path: Path) -> str:
    """A path as a person would type it from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def this_person() -> str:
    """Who gives the command; a container may know its user by number only."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def shown_time(epoch: float) -> str:
    """A moment, given in seconds, as local time."""
    return datetime.fromtimestamp(epoch).isoformat(" ", "seconds")


def counted(count: int, thing: str) -> str:
    """So many of something, in words: 1 task, 2,000 tasks."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def fields(rows: dict[str, str]) -> None:
    """Labels and values, the values in one column, each line of them."""
    width = max(map(len, rows), default=0)
    for label, value in rows.items():
        aligned = value.replace("\n", "\n" + " " * (width + 4))
        console.print(Text.assemble((f"  {label:<{width}}  ", "dim"), aligned))
