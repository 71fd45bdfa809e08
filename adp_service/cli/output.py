"""How the command talks: one console for results, one for what went wrong, and the tables they share."""

from __future__ import annotations

import getpass
import os
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from adp_resources.settings import secret_redactor

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


def fields(rows: dict[str, str]) -> None:
    """Labels and values, the values in one column, each line of them."""
    width = max(map(len, rows), default=0)
    for label, value in rows.items():
        aligned = value.replace("\n", "\n" + " " * (width + 4))
        console.print(Text.assemble((f"  {label:<{width}}  ", "dim"), aligned))
