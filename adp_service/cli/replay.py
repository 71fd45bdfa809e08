"""`adp replay`: a recorded web trajectory done again in a fresh browser, step by step."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Column, Table

from adp_resources.resources import resources
from adp_service.cli.output import complain, console, fields
from adp_service.cli.trajectories import NAMES, find_trajectory
from adp_service.platform import Platform
from runtimes.contracts import TaskSpec, Trajectory
from runtimes.errors import PlatformError
from runtimes.llm.base import BUILTIN
from runtimes.web.replay.recorded import RecordedPages
from runtimes.web.replay.replay import Replay, StepReplay, recorded_actions, recorded_mode, replay_trajectory

BAD_INPUT = 2


def replay(
    trajectory: Annotated[str, typer.Argument(help=NAMES)],
    sample: Annotated[int | None, typer.Option("--sample", "-s", min=0, help="Which of a task's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The findings as JSON.")] = False,
) -> None:
    """Do a web trajectory again by its recorded locators and say where it still holds.

    It does for real what the agent did: mind what that does to the site. Exit code 0 when every step came to
    the same page, 1 when one did not, 2 for a trajectory that cannot be replayed.
    """
    platform = Platform({})
    try:
        found = find_trajectory(platform, trajectory, sample)
        recorded_actions(found)
    except PlatformError as error:
        complain(error.message, error.remedy)
        raise typer.Exit(BAD_INPUT) from error
    result = asyncio.run(_replay(platform, found))
    if as_json:
        findings = {**msgspec.to_builtins(result), "held": result.held}
        typer.echo(msgspec.json.format(msgspec.json.encode(findings)))
    else:
        _show(result)
    if not result.all_held:
        raise typer.Exit(1)


async def _replay(platform: Platform, trajectory: Trajectory) -> Replay:
    # A replay asks no model and leaves no picture; the built-in teacher is a model that is always there.
    settings = {
        **platform.overrides,
        "chosen_model": BUILTIN,
        "web_screenshots": False,
        "web_trace": "off",
        "web_observation": recorded_mode(trajectory),
    }
    async with resources(**settings)["fanout"].services(RecordedPages) as services:
        return await replay_trajectory(trajectory, services, _task_of(platform, trajectory))


def _task_of(platform: Platform, trajectory: Trajectory) -> TaskSpec | None:
    """The task as the pool has it; a file may be replayed where there is no pool, and none is made for it."""
    file = platform.settings.database_url.removeprefix("sqlite:///")
    if "://" not in file and not Path(file).exists():
        return None
    return platform.pool.get(trajectory.task_id)


def _show(result: Replay) -> None:
    table = Table(
        Column("step", justify="right"),
        "action",
        Column("held", no_wrap=True),
        Column("on", no_wrap=True, overflow="ellipsis"),
        box=None,
        pad_edge=False,
    )
    for step in result.steps:
        table.add_row(str(step.step_id), escape(step.action), _mark(step), escape(_plain(step.locator)))
    console.print(table)
    broken = [step for step in result.steps if step.said]
    if broken:
        console.print()
        fields({f"step {step.step_id}": step.said for step in broken})
    same = sum(step.verdict == "same" for step in result.repeated)
    console.print()
    fields(
        {
            "held": f"{same} of {len(result.repeated)} steps ({result.held:.0%})",
            "outcome": f"{result.outcome}, recorded as {result.recorded_outcome}",
            "because": result.grade_reason,
        }
    )


def _mark(step: StepReplay) -> str:
    if step.verdict == "same":
        return "[green]yes[/]"
    words = step.verdict.replace("_", " ")
    return f"[dim]{words}[/]" if step.verdict == "skipped" else f"[red]{words}[/]"


def _plain(selector: str) -> str:
    """A selector without the word Playwright puts before its own engines."""
    return selector.replace("internal:", "")
