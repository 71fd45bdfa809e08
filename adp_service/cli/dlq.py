"""`adp dlq`: episodes that our own failures spoiled in every try, for a person to decide about."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from adp_resources.dead_letters import DeadLetter, State
from adp_service.cli.output import console, fields, in_short, note, shown_time, this_person
from adp_service.driver import refresh_dead_letters
from adp_service.platform import Platform
from runtimes.errors import ConfigurationError

Names = Annotated[
    list[str] | None, typer.Argument(help="ROUND/TASK/SAMPLE as listed, a round, or a task's id.")
]
All = Annotated[bool, typer.Option("--all", help="Every one that waits.")]

dlq = typer.Typer(
    no_args_is_help=True,
    help="Dead letters: episodes that failed by no fault of theirs, after every retry.",
)


@dlq.command("list")
def list_letters(
    every: Annotated[bool, typer.Option("--all", help="Also those put back and those discarded.")] = False,
) -> None:
    """List what waits for a decision by its cause, the last error."""
    platform = Platform({})
    letters = platform.dead_letters.all() if every else platform.dead_letters.all(["dead"])
    if not letters:
        console.print("No dead letters.")
        return
    for (kind, message), alike in _by_cause(letters).items():
        console.print(f"[bold]{kind}[/], {len(alike)} of this cause: {escape(in_short(message))}")
        for letter in alike:
            decided = "" if letter.state == "dead" else f", {letter.state}"
            console.print(f"  {escape(letter.name)}  [dim]{len(letter.history)} tries{decided}[/]")
    console.print("See one: adp dlq show NAME. Once the cause is mended: adp dlq retry NAME or --all.")


@dlq.command("show")
def show(name: Annotated[str, typer.Argument(help="ROUND/TASK/SAMPLE, or a task's id.")]) -> None:
    """Show what went wrong in every try, when and where, and what was decided."""
    for letter in _chosen(Platform({}), [name], ("dead", "retry", "discarded")):
        console.rule(f"[bold]{escape(letter.name)}")
        rows = {"type": letter.task_type, "state": _state(letter)}
        for number, each in enumerate(letter.history, 1):
            rows[f"try {number}"] = (
                f"{shown_time(each.at)}, {each.where}\n{each.error_type}: {each.error_message}"
            )
        if letter.state == "dead":
            rows["again"] = f"once the cause is mended: adp dlq retry {letter.name}, then adp run"
        fields(rows)


@dlq.command("retry")
def retry(names: Names = None, every: All = False) -> None:
    """Put them back into their rounds; the next `adp run` takes them up.

    It does not run them at once, so that several can be chosen and paid for together.
    """
    platform = Platform({})
    chosen = []
    for letter in _chosen(platform, names, ("dead",), every):
        state = platform.journal.acceptance(letter.round)
        if state and not state.missing:
            note(f"{letter.name} is left as it is: its round has all {state.target} that it was to have.")
        else:
            chosen.append(letter)
    count = platform.dead_letters.put_back([letter.key for letter in chosen], this_person())
    refresh_dead_letters(platform)
    console.print(f"{count} put back: `adp run` tries them again.")


@dlq.command("discard")
def discard(
    reason: Annotated[
        str, typer.Option("--reason", "-r", "--why", "-w", help="Why, kept with it; --why is its older name.")
    ],
    names: Names = None,
    every: All = False,
) -> None:
    """Give them up for good: kept on record, never run again in their round."""
    platform = Platform({})
    chosen = _chosen(platform, names, ("dead", "retry"), every)
    count = platform.dead_letters.discard([letter.key for letter in chosen], this_person(), reason)
    refresh_dead_letters(platform)
    console.print(f"{count} discarded.")


def _by_cause(letters: list[DeadLetter]) -> dict[tuple[str, str], list[DeadLetter]]:
    """The letters by error and message, the most frequent first."""
    found: dict[tuple[str, str], list[DeadLetter]] = {}
    for letter in letters:
        found.setdefault((letter.error_type, letter.error_message), []).append(letter)
    return dict(sorted(found.items(), key=lambda each: -len(each[1])))


def _chosen(
    platform: Platform, names: list[str] | None, states: tuple[State, ...], every: bool = False
) -> list[DeadLetter]:
    """The letters that are named, or all. Raises ConfigurationError for a name that none of them has."""
    if bool(names) == every:
        raise ConfigurationError(
            "Nothing was chosen.", "Name dead letters as `adp dlq list` does, or use --all."
        )
    letters = platform.dead_letters.all()
    found = [letter for letter in letters if letter.state in states]
    if every:
        return found
    for name in names or []:
        known = [letter for letter in letters if name in _names(letter)]
        if not known:
            raise ConfigurationError(f"There is no dead letter {name!r}.", "`adp dlq list` shows them.")
        for letter in known:
            if letter not in found:
                note(f"{letter.name} is left as it is: {_state(letter)}.")
    return [letter for letter in found if _names(letter) & set(names or [])]


def _names(letter: DeadLetter) -> set[str]:
    return {letter.name, letter.round, letter.task_id}


def _state(letter: DeadLetter) -> str:
    """What was decided, by whom, when and why."""
    if letter.state == "dead" or letter.decided_at is None:
        return f"waits for a decision since {shown_time(letter.died_at)}"
    what = "put back" if letter.state == "retry" else "discarded"
    why = f": {letter.reason}" if letter.reason else ""
    return f"{what} by {letter.decided_by}, {shown_time(letter.decided_at)}{why}"
