"""`adp forget`: tasks erased with all that they left, and the releases that hold rows of them."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer

from adp_service.cli.output import complain, console, counted, fields, note, shown_path
from adp_service.forgetting import Forgetting, KnownTasks, as_plain, planned
from adp_service.forgetting import forget as carry_out
from adp_service.platform import Platform
from runtimes.errors import ConfigurationError

CACHES = (
    "What models were asked and replied may be cached still: remove output/cache.sqlite* (in Redis, the keys "
    "response_cache:* and template_cache:*), and empty the table llm_replies."
)
ELSEWHERE = (
    "Logs, backups and the history of Dagster's runs, whose previews show a few rows, are not looked through."
)


def forget(
    tasks: Annotated[
        list[str] | None, typer.Option("--task", metavar="ID", help="A task, by id; repeatable.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="NAME", help="All tasks of a task file, or of a data set."),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="ID", help="All tasks of a user (metadata.user_id).")
    ] = None,
    descendants: Annotated[
        bool, typer.Option("--descendants", help="With all tasks that were made from them.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What goes, as JSON.")] = False,
) -> None:
    """Erase tasks with their trajectories, pictures and rows, and list the releases that hold some of them.

    The datasets of their rounds are made anew without them. Releases are never changed: make another, and
    remove these. What was spent on the tasks stays in the accounts (llm_calls), with their ids and users.
    Killed half-way, it is simply run again.

    A task file is not read again where it was read before, so nothing comes back by itself. A task comes back
    when its line is read anew: `adp run FILE --again`, a file changed above where reading ended, or another
    file (or message) with the same line. Take the line out.

    Example: `adp forget --source gsm8k.jsonl --descendants --dry-run`
    """
    if sum([bool(tasks), source is not None, user is not None]) != 1:
        raise ConfigurationError(
            "Which tasks are to be forgotten?", "Give one of --task ID, --source NAME and --user ID."
        )
    platform = Platform({})
    known = KnownTasks(platform)
    if source is not None:
        chosen = known.of_source(source)
    else:
        chosen = known.of_user(user) if user is not None else known.of_ids(tasks or [])
    what = planned(platform, chosen, known, whole=descendants)
    if not as_json:
        _show(what, dry_run=dry_run)
    failures = {}
    if not dry_run:
        _agree(what, yes=yes)
        failures = carry_out(platform, what)
    if as_json:
        plain = {**as_plain(what), "dry_run": dry_run, "failures": failures}
        typer.echo(msgspec.json.format(msgspec.json.encode(plain)))
    elif not dry_run:
        console.print(f"Forgotten: {counted(len(what.goes), 'task')}.")
        note(CACHES)
        note(ELSEWHERE)
    for name, failure in failures.items():
        complain(
            f"The dataset of {name} could not be made anew, and was removed: {failure}",
            "Materialize training_dataset in the UI.",
        )
    if failures:
        raise typer.Exit(1)


def _show(what: Forgetting, *, dry_run: bool) -> None:
    would = "would go" if dry_run else "to go"
    fields(
        {
            would: counted(len(what.goes), "task"),
            **{kind: f"{count:,}" for kind, count in what.counts.items() if count},
            "rounds": ", ".join(what.rounds) or "none",
        }
    )
    if what.descendants and not what.whole:
        console.print()
        note(
            f"{counted(len(what.descendants), 'task')} made from them, such as {what.descendants[0]}, "
            "stay. --descendants takes them, too.",
            on=console,
        )
    if what.releases:
        console.print("\nReleases that hold them, and stay as they are:")
        for name, held in what.releases.items():
            more = f", and tells of {held.left_out:,} left out" if held.left_out else ""
            console.print(f"  {name}: {counted(held.rows, 'row')}{more} ({shown_path(held.folder)})")
        console.print(
            "Make others (adp export), remove these folders and their copies elsewhere, and tell those who "
            "were given them.\n"
        )


def _agree(what: Forgetting, *, yes: bool) -> None:
    """Raise unless a person says so, in advance or now."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "Nothing was erased, as nobody was there to be asked.", "Say --yes, or look first: --dry-run."
        )
    typer.confirm(f"Erase {counted(len(what.goes), 'task')} for good?", abort=True, err=True)
