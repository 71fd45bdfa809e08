"""`adp run` and `adp cancel`: rounds from the command line, through the same Dagster job as in the UI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from adp_assets.intake.assets import read_task_files
from adp_assets.intake.task_files import SAMPLE_LINE, IntakeReport, open_task_file
from adp_assets.rounds import Round, may_follow
from adp_service.cli.output import complain, console, note
from adp_service.cli.progress import round_progress
from adp_service.cli.summary import print_summary
from adp_service.driver import (
    Ran,
    Unfinished,
    bury_dead_runs,
    cancel_round,
    new_round_name,
    run_round,
    unfinished,
)
from adp_service.platform import Platform
from runtimes.errors import ConfigurationError
from runtimes.llm.providers import choose_model
from runtimes.registry import task_types

INTERRUPTED = 130


def run(
    task_files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="TASKFILE", help="Task files, one JSON object a line. Default: TASK_FILE."),
    ] = None,
    rounds: Annotated[
        int, typer.Option("--rounds", "-n", min=1, help="Rounds in all; each runs what the one before made.")
    ] = 1,
    samples: Annotated[
        int | None, typer.Option("--samples", "-k", min=1, help="Episodes a task. Default: SAMPLES.")
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
        bool, typer.Option("--again", help="Run the files' tasks anew, though earlier rounds ran them.")
    ] = False,
) -> None:
    """Run tasks: execute, grade, distil, mutate, export; round after round.

    Reads the task files into the pool, goes on with a round that was interrupted, then plans new ones. A
    finished episode is never run again. Ctrl-C, `adp cancel ROUND` and the UI stop a round at once; run
    again to go on.

    Example: `adp run examples/tasks.jsonl --rounds 2 --samples 4 --type code`
    """
    _check_types(types or [])
    platform = Platform(_overrides(model, episodes))
    chat = choose_model(platform.settings.model_choice())
    # First of all: a dead run still passes for one that is going on.
    for name in bury_dead_runs(platform):
        note(f"Round {name} was interrupted; what it finished is kept.")
    files = [path.absolute() for path in task_files or []] or _default_file(platform)
    _report_intake(_read(platform, files))
    campaign = _Campaign(platform, files, rounds, samples, types or [], again)
    ran = campaign.go()
    if not ran:
        _nothing_to_do(platform, files, types or [])
        return
    print_summary(platform, [each.round for each in ran], chat)
    if failed := [each for each in ran if not each.ok]:
        for each in failed:
            _report_failure(each)
        raise typer.Exit(INTERRUPTED if all(each.cancelled for each in failed) else 1)


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


class _Campaign:
    """The rounds of one command: those left unfinished, then new ones, each following the one before."""

    def __init__(
        self,
        platform: Platform,
        files: list[Path],
        rounds: int,
        samples: int | None,
        types: list[str],
        again: bool,
    ) -> None:
        self.platform = platform
        self.files = [str(path) for path in files]
        self.rounds = rounds
        self.options: dict[str, Any] = {"types": types, "samples": samples or 0, "driver": "command"}
        self.again = again

    def go(self) -> list[Ran]:
        """Run until the rounds are done, nothing is left to do, or a new one fails."""
        ran: list[Ran] = []
        finished: list[Round] = []
        for left in unfinished(self.platform, set(self.files)):
            ran.append(self._go_on(left))
            if ran[-1].cancelled or ran[-1].refused:
                return ran
            if ran[-1].ok and not left.failed:
                finished.append(left.round)
        return ran + self._new_rounds(finished)

    def _go_on(self, left: Unfinished) -> Ran:
        name = left.round.name
        if left.failed:
            note(f"Going on with round {name}: {left.failed} episodes failed by no fault of theirs.")
        else:
            note(f"Going on with round {name}, with all its tasks: it was not finished.")
        ran = self._one(name, {"driver": "command"})
        if ran.failure and not ran.cancelled and not ran.refused:
            note(f"Round {name} failed again; other work goes on.")
        return ran

    def _new_rounds(self, finished: list[Round]) -> list[Ran]:
        """As many as are asked for beyond the `finished` ones, in the chain of the last of these."""
        ran: list[Ran] = []
        follows = finished[-1].name if finished else ""
        count = self.rounds - len(finished)
        if finished:
            self.platform.rounds.extend(follows, finished[-1].number + count)
        while len(ran) < count:
            if follows and (reason := self._why_not(follows)):
                note(f"No round follows {follows}: {reason}.")
                break
            if not follows:
                if not self._has_work():
                    break
                self._say_if_only_made_ones_wait()
            ran.append(self._one(new_round_name(self.platform), self._config(follows)))
            if not ran[-1].ok:
                break
            follows = ran[-1].round
        return ran

    def _one(self, name: str, config: dict[str, Any]) -> Ran:
        with round_progress(self.platform, name):
            return run_round(self.platform, name, config)

    def _config(self, follows: str) -> dict[str, Any]:
        return self.options | {
            "task_files": self.files,
            "only_these_files": bool(self.files),
            "again": self.again and not follows,
            "follows": follows,
            "max_rounds": self.rounds,
        }

    def _has_work(self) -> bool:
        return self.again or self.platform.pool.pending(self.files, self.options["types"]) > 0

    def _say_if_only_made_ones_wait(self) -> None:
        waiting = self.platform.pool.pending(self.files, self.options["types"])
        if not self.again and waiting and not self.platform.pool.pending_seeds(self.files):
            note(
                f"The files' own tasks have all been run; {waiting} tasks made from them wait and come now. "
                "(--again runs the files' own anew.)"
            )

    def _why_not(self, follows: str) -> str | None:
        planned = self.platform.rounds.get(follows)
        if planned is None or not self.platform.settings.feedback_enabled:
            return "FEEDBACK_ENABLED is off"
        spent = self.platform.journal.spent(link.name for link in self.platform.rounds.chain(follows))
        return may_follow(
            planned,
            pending=self.platform.pool.pending(self.files, self.options["types"]),
            spent_usd=spent,
            max_spend_usd=self.platform.settings.max_round_cost_usd,
        )


def _overrides(model: str | None, episodes: int | None) -> dict[str, Any]:
    given = {"chosen_model": model, "max_concurrent_tasks": episodes}
    return {name: value for name, value in given.items() if value is not None}


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
    if platform.pool.pending() or unfinished(platform, set()):
        return []
    raise ConfigurationError(
        f"There is no task file {path} (TASK_FILE), and no task waits in the pool.",
        f"Name one: adp run FILE. It holds one JSON object a line, such as: {SAMPLE_LINE}",
    )


def _read(platform: Platform, files: list[Path]) -> list[IntakeReport]:
    for path in files:
        open_task_file(path).close()
    return read_task_files(platform.pool, platform.settings, files)


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


def _nothing_to_do(platform: Platform, files: list[Path], types: list[str]) -> None:
    """No task was left: a failure when the files never held one, else a plain word."""
    sources = [str(path) for path in files]
    known = platform.pool.known_from(sources)
    if files and not known:
        names = ", ".join(str(path) for path in files)
        raise ConfigurationError(
            f"{names} holds no task that could be run.", f"A task is one JSON object a line: {SAMPLE_LINE}"
        )
    if waiting := platform.pool.pending(sources):
        console.print(
            f"Nothing to do: no task of type {' or '.join(types)} waits, but {waiting} of other types do. "
            "Run them without --type; `adp status` shows the rounds."
        )
        return
    where = "these files, and those made from them," if files else "the pool"
    console.print(
        f"Nothing to do: all {known} tasks of {where} have been run. "
        "Use --again to run them anew; `adp status` shows the rounds."
    )


def _report_failure(ran: Ran) -> None:
    if ran.cancelled:
        note(f"Round {ran.round} was stopped. Run `adp run` again to go on with it.")
        return
    complain(
        f"Round {ran.round} failed: {ran.failure}", "Finished work is kept: mend the cause and run again."
    )
