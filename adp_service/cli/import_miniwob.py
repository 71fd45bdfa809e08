"""`adp import miniwob`: MiniWoB++'s web pages as tasks that their own reward judges."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Annotated

import typer

from adp_service.cli.imports import Output, task_file
from adp_service.cli.output import note
from runtimes.errors import ConfigurationError
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.miniwob.site import MiniwobSite
from runtimes.web.miniwob.tasks import TASKS, check_names, read_tasks

MAX_SEEDS = 1_000


def import_miniwob(
    tasks: Annotated[
        str, typer.Option("--tasks", "-t", help="Names such as click-test,enter-date. Default: 36 of them.")
    ] = ",".join(TASKS),
    seeds: Annotated[
        str, typer.Option("--seeds", "-s", help="How many problems a task, from 0 on, or which: 5 or 3-7.")
    ] = "3",
    output: Output = None,
) -> None:
    """MiniWoB++'s problems, their instructions read off the pages: `adp import miniwob -o tasks.jsonl`."""
    names = [name for part in tasks.split(",") if (name := part.strip())]
    if not names:
        raise ConfigurationError("--tasks names no task.", f"Such as: {', '.join(TASKS[:3])}.")
    numbers = seed_range(seeds)
    check_names(names)
    asyncio.run(_write(names, numbers, output))
    note(
        "The built-in teacher does not know these tasks: set a model in .env (see .env.example) or name one "
        "with --model."
    )


def seed_range(text: str) -> range:
    """`5` is 0 to 4, `3-7` is 3 to 7. Raises ConfigurationError for anything else."""
    found = re.fullmatch(r"(?:(\d{1,9})-)?(\d{1,9})", text.strip())
    if found is not None:
        first = int(found[1] or 0)
        numbers = range(first, int(found[2]) + (1 if found[1] else 0))
        if 0 < len(numbers) <= MAX_SEEDS:
            return numbers
    raise ConfigurationError(
        f"--seeds {text} names no seeds.",
        f"Give how many, such as 5, or the first and the last, such as 3-7; {MAX_SEEDS} at most.",
    )


async def _write(names: list[str], seeds: range, output: Path | None) -> None:
    async with BrowserPool(sites=[MiniwobSite()]) as pool:
        with task_file("MiniWoB++", output) as file:
            async for task in read_tasks(pool, names, seeds):
                file.add(task)
