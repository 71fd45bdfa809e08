"""`adp import reasoning-gym`: problems made by programs, any number, judged by their own scorers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from adp_assets.intake.importers.reasoning_gym import gym_tasks
from adp_resources.resources import sandbox_pool
from adp_resources.settings import Settings
from adp_service.cli.imports import Licence, Output, task_file
from adp_service.cli.output import note
from adp_service.platform import Platform
from runtimes.errors import ConfigurationError, InvalidTask
from runtimes.grading.reasoning_gym import DATASETS, PACKAGES, check_dataset
from sandbox import SandboxError
from sandbox.profiles import find_layer
from sandbox.requirements import read_requirements

MOST_PROBLEMS = 1_000_000


def import_reasoning_gym(
    names: Annotated[
        str,
        typer.Option(
            "--names", "-n", help=f"Such as gcd,maze. Default: all {len(DATASETS)} that are let in."
        ),
    ] = ",".join(DATASETS),
    count: Annotated[
        int, typer.Option("--count", "-c", min=1, max=MOST_PROBLEMS, help="Problems of each.")
    ] = 10,
    seed: Annotated[int, typer.Option("--seed", "-s", min=0, help="Another one gives other problems.")] = 0,
    output: Output = None,
    licence: Licence = None,
) -> None:
    """reasoning-gym's problems: `adp import reasoning-gym --names gcd,maze --count 50 -o tasks.jsonl`.

    They are made, and answers to them are scored, in the sandbox. The first time, its layer is built.
    """
    chosen = list(dict.fromkeys(name for part in names.split(",") if (name := part.strip())))
    if not chosen:
        raise ConfigurationError("--names names no data set.", f"Such as: {', '.join(DATASETS[:3])}.")
    for name in chosen:
        try:
            check_dataset(name)
        except InvalidTask as error:
            raise ConfigurationError(f"--names: {error.message}", error.remedy) from error
    ensure_layer()
    asyncio.run(_write(Platform({}).settings, chosen, count, seed, output, licence))


def ensure_layer() -> None:
    """Build the sandbox's layer with reasoning-gym in it, where it is not yet there: wheels, by pip."""
    requirements = read_requirements(PACKAGES)
    if find_layer(requirements):
        return
    from sandbox.layers import build_layer

    note("Building the sandbox's layer with reasoning-gym, once.")
    try:
        build_layer(requirements)
    except SandboxError as error:
        raise ConfigurationError(f"The layer of {PACKAGES.name} was not built: {error}") from error


async def _write(
    settings: Settings, names: list[str], count: int, seed: int, output: Path | None, licence: str | None
) -> None:
    async with sandbox_pool(settings) as sandboxes:
        with task_file("reasoning-gym", output) as file:
            async for found in gym_tasks(sandboxes, names, count, seed, licence):
                file.add(found)
