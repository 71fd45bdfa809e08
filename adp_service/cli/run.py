"""`adp run` and `adp cancel`: rounds from the command line, through the same Dagster job as in the UI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adp_assets.intake.assets import read_task_files
from adp_assets.intake.known import KnownTasks
from adp_assets.intake.pool import nothing_waits
from adp_assets.intake.task_files import SAMPLE_LINE, IntakeReport, open_task_file
from adp_resources.acceptance import Acceptance
from adp_service.cli.campaign import Campaign, Order
from adp_service.cli.estimate import print_estimate
from adp_service.cli.intake import print_intake_notes
from adp_service.cli.output import complain, console, counted, note
from adp_service.cli.summary import print_summary
from adp_service.driver import Ran, bury_dead_runs, cancel_round, held_tasks, unfinished
from adp_service.platform import Platform
from runtimes.errors import ConfigurationError
from runtimes.llm.providers import choose_model
from runtimes.registry import task_types

INTERRUPTED = 130
NOT_ALL = 3
"""The exit code when not all was done: a budget was spent, tasks ran out, or no episode had its fair try."""


def run(
    task_files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="TASKFILE", help="Task files, one JSON object a line. Default: TASK_FILE."),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            "--rounds",
            "-n",
            min=1,
            help="Rounds in all; each runs what the one before made. Default: 1, with --accept MAX_ROUNDS.",
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option("--samples", "-k", min=1, help="Episodes a task. Default: SAMPLES.")
    ] = None,
    accept: Annotated[
        int | None,
        typer.Option("--accept", min=1, help="Go on until so many episodes were solved, and no further."),
    ] = None,
    max_tasks: Annotated[
        int | None, typer.Option("--max-tasks", min=1, help="Tasks to try at most, over all rounds.")
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens", min=0, help="Tokens all rounds may take together. Default: ROUND_TOKEN_LIMIT."
        ),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost", min=0, help="US dollars they may cost together. Default: MAX_ROUND_COST_USD."
        ),
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", "-t", help="Only tasks of this type; may be repeated.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="Override the provider's model; `builtin` is the built-in teacher."
        ),
    ] = None,
    episodes: Annotated[
        int | None,
        typer.Option("--episodes", min=1, help="Episodes in flight. Default: MAX_CONCURRENT_TASKS."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Run the files' tasks anew, as the files have them now.")
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only tell what it would take in tokens and money.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --estimate: as JSON.")] = False,
) -> None:
    """Run tasks: execute, grade, distil, mutate, export; round after round.

    Reads the task files into the pool, goes on with a round that was interrupted, then plans new ones. A
    finished episode is never run again. Ctrl-C, `adp cancel ROUND` and the UI stop a round at once; run
    again to go on. Exit code 3: a budget was spent, the tasks gave fewer solved episodes than --accept, or
    of a round all became dead letters.

    Example: `adp run examples/tasks.jsonl --rounds 2 --samples 4 --type code`
    """
    _check_types(types or [])
    given = {
        "chosen_model": model,
        "max_concurrent_tasks": episodes,
        "round_token_limit": max_tokens,
        "max_round_cost_usd": max_cost,
    }
    platform = Platform({name: value for name, value in given.items() if value is not None})
    chat = choose_model(platform.settings.model_choice())
    # First of all: a dead run still passes for one that is going on.
    for name in bury_dead_runs(platform):
        note(f"Round {name} was interrupted; what it finished is kept.")
    files = [path.absolute() for path in task_files or []] or _default_file(platform)
    order = Order(
        files=tuple(str(path) for path in files),
        rounds=rounds,
        samples=samples,
        types=tuple(types or ()),
        again=again,
        accept=accept,
        max_tasks=max_tasks,
    )
    if estimate:
        print_estimate(platform, order, chat, _report_intake, as_json=as_json)
        return
    _report_intake(_read(platform, files, again))
    campaign = Campaign(platform, order, say=note)
    ran = campaign.go()
    if ran:
        print_summary(platform, [each.round for each in ran], chat)
        _say_what_waits(platform, order)
    else:
        _nothing_to_do(platform, files, types or [])
    _end(platform, ran, campaign.short_of_target())


def _end(platform: Platform, ran: list[Ran], short: Acceptance | None) -> None:
    """Say what is not as it was asked for, and let the exit code tell it, too."""
    for each in ran:
        _report(each)
    spoiled = [each.round for each in ran if each.ok and _is_spoiled(platform, each.round)]
    for name in spoiled:
        note(
            f"No episode of round {name} was finished: our own failures spoiled all of them. Mend the cause, "
            f"then `adp dlq retry {name}` and run again."
        )
    if broken := [each for each in ran if each.failure or each.cancelled]:
        raise typer.Exit(INTERRUPTED if all(each.cancelled for each in broken) else 1)
    if short:
        note(f"{short.accepted} of {short.target} were accepted: run again, with more tasks or more budget.")
    if short and short.withheld:
        note(
            f"{short.withheld} more were solved that no dataset takes: a judge alone passed them "
            "(RELEASE_JUDGED), or they repeat an earlier solution on other pages."
        )
    if short or spoiled or any(each.stopped for each in ran):
        raise typer.Exit(NOT_ALL)


def _is_spoiled(platform: Platform, name: str) -> bool:
    """Whether a round left dead letters and nothing else."""
    ended = {outcome for _, outcome in platform.journal.outcomes(name)}
    return ended == {"infrastructure_error"} and name in platform.dead_letters.in_rounds("dead")


def cancel(
    round: Annotated[str, typer.Argument(help="The round to stop, as `adp status` lists it.")],
) -> None:
    """Stop a round at once: its model calls, sandboxes and pages. `adp run` goes on with it later."""
    platform = Platform({})
    if platform.rounds.get(round) is None:
        known = ", ".join(planned.name for planned in platform.rounds.all()[-5:]) or "none"
        raise ConfigurationError(f"There is no round {round!r}.", f"The newest rounds: {known}.")
    count = cancel_round(platform, round)
    console.print(f"Asked {count} run(s) of {round} to stop." if count else f"No run of {round} is going on.")


def _check_types(types: list[str]) -> None:
    for kind in types:
        if kind not in task_types():
            raise ConfigurationError(
                f"No runtime is registered for --type {kind}.",
                f"Registered types: {', '.join(task_types())}.",
            )


def _default_file(platform: Platform) -> list[Path]:
    """TASK_FILE; without one, the pool alone if tasks wait in it."""
    path = platform.settings.path(platform.settings.task_file)
    if path.exists():
        return [path]
    if platform.pool.pending() or platform.pool.in_review() or unfinished(platform, set()):
        return []
    raise ConfigurationError(
        f"There is no task file {path} (TASK_FILE), and no task waits in the pool.",
        f"Name one: adp run FILE. It holds one JSON object a line, such as: {SAMPLE_LINE}",
    )


def _read(platform: Platform, files: list[Path], again: bool) -> list[IntakeReport]:
    for path in files:
        open_task_file(path).close()
    known = KnownTasks(platform.pool, held_tasks(platform)) if again else None
    return read_task_files(platform.pool, platform.settings, files, known)


def _report_intake(reports: list[IntakeReport]) -> None:
    for report in reports:
        for number, reason in report.rejected[:20]:
            complain(f"{report.path.name}:{number}: {reason}")
        if len(report.rejected) > 20:
            complain(f"{report.path.name}: {len(report.rejected) - 20} more lines are no tasks.")
        if report.rejects_file:
            note(f"The rejected lines are kept in {report.rejects_file}: mend them and run that file.")
        if report.duplicates:
            shown = ", ".join(f"line {number} ({task_id})" for number, task_id in report.duplicates[:5])
            more = f" and {len(report.duplicates) - 5} more" if len(report.duplicates) > 5 else ""
            note(f"{report.path.name}: known ids were skipped: {shown}{more}.")
        print_intake_notes(report)


def _say_what_waits(platform: Platform, order: Order) -> None:
    """Lines that came in while an earlier round was gone on with, or that were more than a round takes."""
    waiting = platform.pool.pending_seeds(order.files, order.types) if order.files else 0
    if waiting and not order.accept:
        names = ", ".join(Path(name).name for name in order.files)
        note(f"{counted(waiting, 'task')} of {names} {'waits' if waiting == 1 else 'wait'}: run again.")


def _nothing_to_do(platform: Platform, files: list[Path], types: list[str]) -> None:
    """No task was left: a failure when the files never held one, else a plain word."""
    sources = [str(path) for path in files]
    known = platform.pool.known_from(sources)
    if files and not known:
        names = ", ".join(str(path) for path in files)
        raise ConfigurationError(
            f"{names} holds no task that could be run, or only such as the pool has of other files.",
            f"--again runs those that the pool has. A task is one JSON object a line: {SAMPLE_LINE}",
        )
    if waiting := platform.pool.pending(sources):
        console.print(
            f"Nothing to do: no task of type {' or '.join(types)} waits, but {waiting} of other types do. "
            "Run them without --type; `adp status` shows the rounds."
        )
        return
    if in_review := platform.pool.in_review(sources, types):
        console.print(f"Nothing to do: {nothing_waits(in_review)}.")
        return
    where = "these files, and those made from them," if files else "the pool"
    console.print(
        f"Nothing to do: all {known} tasks of {where} have been run. "
        "Use --again to run them anew; `adp status` shows the rounds."
    )
    if dead := sum(platform.dead_letters.in_rounds("dead").values()):
        console.print(
            f"In all rounds {dead} episodes are dead letters: see `adp dlq list`. "
            "Once their cause is mended, `adp dlq retry` puts them back, and `adp run` tries them again."
        )


def _report(ran: Ran) -> None:
    if ran.cancelled:
        note(f"Round {ran.round} was stopped. Run `adp run` again to go on with it.")
    elif ran.failure:
        complain(
            f"Round {ran.round} failed: {ran.failure}", "Finished work is kept: mend the cause and run again."
        )
    elif ran.stopped:
        why = ran.stopped.removeprefix(f"Round {ran.round} stops: ")
        again = "" if "run again" in why else " Run again to go on with it."
        note(f"Round {ran.round} stopped before all was run: {why}{again}")
