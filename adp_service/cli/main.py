"""The `adp` command: its subcommands, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from typing import Annotated

import typer

from adp_resources.settings import misspelt, project_root, secret_redactor
from adp_service.cli import (
    candidates,
    dlq,
    doctor,
    export,
    forget,
    import_gsm8k,
    import_humaneval,
    import_miniwob,
    import_reasoning_gym,
    import_table,
    import_trajectories,
    push,
    regrade,
    release,
    replay,
    review,
    run,
    show,
    sql,
    status,
    tools,
    tools_register,
    tools_try,
    ui,
)
from adp_service.cli.output import complain, note
from runtimes.errors import PlatformError

app = typer.Typer(
    name="adp",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="The agent-data platform: seed tasks in, verified training data for AI agents out. "
    "Settings come from the environment and `.env` (see `.env.example`).",
)
sources = typer.Typer(
    no_args_is_help=True,
    help="Turn a data set or benchmark into a task file with verifiers, or take in recorded trajectories.",
)
sources.command("gsm8k")(import_gsm8k.import_gsm8k)
sources.command("humaneval")(import_humaneval.import_humaneval)
sources.command("table")(import_table.import_table)
sources.command("reasoning-gym")(import_reasoning_gym.import_reasoning_gym)
sources.command("miniwob")(import_miniwob.import_miniwob)
sources.command("trajectories")(import_trajectories.import_trajectories)
toolbox = typer.Typer(
    no_args_is_help=True, help="The tools that tasks may name: native ones, skills, MCP servers."
)
toolbox.command("list")(tools.list_tools)
toolbox.command("show")(tools.show_tool)
toolbox.command("register")(tools_register.register_tool)
toolbox.command("remove")(tools.remove_tool)
toolbox.command("test")(tools_try.try_tool)
app.command("run")(run.run)
app.command("status")(status.status)
app.command("show")(show.show)
app.command("replay")(replay.replay)
app.command("regrade")(regrade.regrade)
app.command("cancel")(run.cancel)
app.command("export")(export.export)
app.command("push")(push.push)
app.command("forget")(forget.forget)
app.command("sql")(sql.sql)
app.command("candidates")(candidates.candidates)
app.add_typer(release.release, name="release")
app.add_typer(review.review, name="review")
app.add_typer(dlq.dlq, name="dlq")
app.add_typer(sources, name="import")
app.add_typer(toolbox, name="tools")
app.command("ui")(ui.ui)
app.command("doctor")(doctor.doctor)

FULL_DISK = ("database or disk is full", "disk I/O error", "No space left on device")
TRACEBACK_VARIABLE = "ADP_TRACEBACK"


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback with an error.")] = False,
) -> None:
    if debug:
        os.environ[TRACEBACK_VARIABLE] = "1"
    for name, setting in misspelt(project_root()).items():
        note(f"{name} in .env is no setting and does nothing: did you mean {setting}?")


def main() -> None:
    """Entry point: exit code 0 when all went well, 1 when something did not, 2 for wrong arguments.

    `adp run` has a code of its own, 3, for what went well and yet was not all that was asked for.
    """
    # What was imported stays until the end, where going through it once more took a quarter of a command.
    gc.freeze()
    try:
        app()
    except PlatformError as error:
        _show_traceback()
        complain(error.message, error.remedy)
        sys.exit(1)
    except KeyboardInterrupt:
        complain("Interrupted.", "Finished work is kept; run again to go on.")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
    except Exception as error:
        _show_traceback()
        complain(*_unforeseen(error))
        sys.exit(1)


def _unforeseen(error: Exception) -> tuple[str, str]:
    """Words for an error nobody turned into a PlatformError: a full disk under Dagster, or our own fault."""
    if any(sign in str(error) for sign in FULL_DISK):
        return (
            "The disk that holds the output or Dagster's home is full.",
            "Free space (df -h .) and run again: finished work is kept.",
        )
    return (
        f"A fault of the platform itself: {type(error).__name__}: {error}.",
        "Run `adp --debug ...` for the traceback, and report it.",
    )


def _show_traceback() -> None:
    if os.environ.get(TRACEBACK_VARIABLE):
        sys.stderr.write(secret_redactor().text(traceback.format_exc()))
