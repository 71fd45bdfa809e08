"""`adp review`: accepted tasks that wait for a person, where REVIEW_REQUIRED is set."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape

from adp_assets.intake.review import WAITING, Reviewable, Reviews, Wanted
from adp_service.cli.output import console, fields, in_short, note, shown_time, this_person
from adp_service.platform import Platform
from runtimes.errors import ConfigurationError

SHOWN = 70
LISTED = 50

Type = Annotated[str | None, typer.Option("--type", "-t", help="Only tasks of this type.")]
Operator = Annotated[str | None, typer.Option("--operator", help="Only those this operator made.")]
Root = Annotated[str | None, typer.Option("--root", help="Only those that come of this seed.")]
Round = Annotated[str | None, typer.Option("--round", help="Only those made in this round.")]
Trivial = Annotated[
    bool, typer.Option("--gate-trivial", help="Only those that every trial solved: too easy, perhaps.")
]
Names = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Tasks, by id.")]
All = Annotated[bool, typer.Option("--all", help="All that wait and fit the filters.")]
By = Annotated[str | None, typer.Option("--by", help="Who decides. Default: this user.")]

review = typer.Typer(
    no_args_is_help=True,
    help="Tasks that passed every gate and wait for a person, where REVIEW_REQUIRED is set.",
)


@review.command("list")
def list_waiting(
    task_type: Type = None,
    operator: Operator = None,
    root: Root = None,
    round: Round = None,
    trivial: Trivial = False,
    as_json: Annotated[bool, typer.Option("--json", help="All of them, as JSON.")] = False,
) -> None:
    """List what waits for a decision, the oldest first."""
    wanted = Wanted(task_type, operator, root, round, trivial)
    waiting = Platform({}).reviews.waiting(wanted)
    if as_json:
        typer.echo(msgspec.json.encode([_plain(each) for each in waiting]))
        return
    if not waiting:
        console.print("No task waits for review" + (" that fits." if wanted != Wanted() else "."))
        return
    for each in waiting[:LISTED]:
        _print_waiting(each)
    if len(waiting) > LISTED:
        console.print(f"... and {len(waiting) - LISTED} more (--json lists all)")
    console.print(f"{len(waiting)} wait. See one: adp review show ID. Then approve or reject it, by id.")


@review.command("show")
def show(task_id: Annotated[str, typer.Argument(metavar="ID", help="A task, by id.")]) -> None:
    """Show the whole of a task and, where it was made, how; and what was decided about it."""
    reviews = Platform({}).reviews
    found = reviews.get(task_id)
    console.rule(f"[bold]{escape(task_id)}")
    fields({"state": _state(reviews, found), **_about(found)})


@review.command("approve")
def approve(
    ids: Names = None,
    every: All = False,
    task_type: Type = None,
    operator: Operator = None,
    root: Root = None,
    round: Round = None,
    trivial: Trivial = False,
    by: By = None,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, kept with it.")] = "",
) -> None:
    """Let tasks into the next rounds: by id, or all that fit the filters."""
    wanted = Wanted(task_type, operator, root, round, trivial)
    _decide(ids or [], every, wanted, approved=True, by=by, reason=reason)


@review.command("reject")
def reject(
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, kept with it.")],
    ids: Names = None,
    every: All = False,
    task_type: Type = None,
    operator: Operator = None,
    root: Root = None,
    round: Round = None,
    trivial: Trivial = False,
    by: By = None,
) -> None:
    """Keep tasks out of all rounds for good. Their wording still counts: the same is not accepted again."""
    wanted = Wanted(task_type, operator, root, round, trivial)
    _decide(ids or [], every, wanted, approved=False, by=by, reason=reason)


def _decide(
    ids: list[str], every: bool, wanted: Wanted, *, approved: bool, by: str | None, reason: str
) -> None:
    reviews = Platform({}).reviews
    chosen = _chosen(reviews, ids, every, wanted)
    person = by or this_person()
    count = 0
    for task_id in chosen:
        if reviews.decide(task_id, approved=approved, by=person, reason=reason):
            count += 1
        else:
            note(f"{task_id} is left as it is: {_state(reviews, reviews.get(task_id))}.")
    after = "the next round may take them" if approved else "no round takes them"
    console.print(f"{count} {'approved' if approved else 'rejected'}: {after}.")


def _chosen(reviews: Reviews, ids: list[str], every: bool, wanted: Wanted) -> list[str]:
    """The ids to decide about. Raises ConfigurationError for one that the pool does not have."""
    if bool(ids) == every:
        raise ConfigurationError(
            "Nothing was chosen." if not ids else "Tasks were named, and --all was given.",
            "Name tasks as `adp review list` does, or use --all, with filters or without.",
        )
    if ids and wanted != Wanted():
        raise ConfigurationError("Tasks were named, and filters were given.", "Filters go with --all.")
    for task_id in ids:
        reviews.get(task_id)
    return list(dict.fromkeys(ids)) if ids else [each.task.task_id for each in reviews.waiting(wanted)]


def _state(reviews: Reviews, found: Reviewable) -> str:
    """What was decided, by whom, when and why, and what has become of it."""
    decision = reviews.decision(found.task.task_id)
    if decision is None:
        return "waits for review" if found.status == WAITING else f"nobody has to approve it, {found.status}"
    what = "approved" if decision.approved else "rejected"
    why = f": {decision.reason}" if decision.reason else ""
    return f"{what} by {decision.decided_by}, {shown_time(decision.decided_at)}{why} (now {found.status})"


def _plain(each: Reviewable) -> dict[str, Any]:
    task = each.task
    return {
        "task_id": task.task_id,
        "task_type": task.task_type,
        "description": task.description,
        "operator": task.lineage.operator,
        "parents": task.lineage.parents,
        "root_id": task.lineage.root_id,
        "generation": task.lineage.generation,
        "round": each.round,
        "verifier": task.verifier.kind if task.verifier else None,
        "novelty": each.novelty,
        "expected_pass": each.expected_pass,
        "added_at": each.added_at,
    }


def _print_waiting(each: Reviewable) -> None:
    """Its id on a line of its own, to be copied, and what is known of it below."""
    task = each.task
    origin = ", ".join(task.lineage.parents) or task.lineage.root_id
    verifier = task.verifier.kind if task.verifier else "no verifier"
    rate = _rate(each.expected_pass) or "?"
    console.print(escape(task.task_id))
    known = f"{task.task_type}, {task.lineage.operator} of {origin}, {verifier}, pass {rate}"
    console.print(f"  [dim]{escape(known)}[/]")
    console.print(f"  {escape(in_short(task.description, SHOWN))}")


def _about(each: Reviewable) -> dict[str, str]:
    task, lineage = each.task, each.task.lineage
    rows = {
        "type": task.task_type,
        "lineage": f"{lineage.operator} of {', '.join(lineage.parents) or 'no other'}, "
        f"generation {lineage.generation}, seed {lineage.root_id}",
        "made in": each.round,
        "novelty": _rate(each.novelty),
        "expected pass": _rate(each.expected_pass),
        "tools": ", ".join(task.expected_tools),
        "limits": f"{task.max_steps} steps, {task.timeout} s",
        "constraints": _json(task.constraints),
        "verifier": f"{task.verifier.kind}\n{_json(task.verifier.spec)}" if task.verifier else "none",
        "task": task.description,
    }
    return {name: value for name, value in rows.items() if value}


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() if value else ""
