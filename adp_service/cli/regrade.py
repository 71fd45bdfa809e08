"""`adp regrade`: new verdicts on stored trajectories, by verifiers as they are now, without any agent."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Column, Table

from adp_service.cli.output import complain, console, fields, note
from adp_service.platform import Platform
from adp_service.regrading import chosen, current_verifiers, renew, run_regrade, verifiers_in
from runtimes.contracts import Trajectory
from runtimes.errors import ConfigurationError
from runtimes.regrading import Regraded

SHOWN = 30


def regrade(
    names: Annotated[
        list[str] | None, typer.Argument(help="Rounds or tasks' ids. Default: all that was ever run.")
    ] = None,
    tasks: Annotated[
        Path | None,
        typer.Option("--tasks", "-t", help="Take the verifiers of this task file; the pool keeps them."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The findings as JSON.")] = False,
) -> None:
    """Grade stored trajectories anew by the verifiers that their tasks have now. No agent runs.

    The old verdict stays in the trajectory's metadata, under `grades`. What a verifier can only see right
    after the episode, the page above all, keeps its verdict. Doing it twice changes nothing more. Exit code 1
    when a verdict could not be given for a fault of the platform's own.

    Example: `adp regrade round-0003 --tasks tasks.jsonl --dry-run`
    """
    platform = Platform({})
    pairs = chosen(platform, names or [])
    if tasks is None:
        verifiers = current_verifiers(platform, pairs)
    else:
        verifiers = dict(verifiers_in(tasks))
        pairs = [pair for pair in pairs if pair[1] in verifiers]
        if not pairs:
            raise ConfigurationError(
                f"No chosen task that has trajectories has a verifier in {tasks}.",
                "Give its tasks the ids of those that ran.",
            )
        if not dry_run:
            _keep(platform, tasks, {task_id for _, task_id in pairs})
    found: list[Regraded] = []
    run_regrade(platform, pairs, verifiers, dry_run=dry_run, seen=found.append)
    found.sort(key=lambda each: (each.before.round, each.before.task_id, each.before.sample))
    changed = {each.before.round for each in found if each.changed}
    failures = {} if dry_run else renew(platform, sorted(changed))
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode([_plain(each) for each in found])))
    else:
        _show(found, dry_run)
    for name, failure in failures.items():
        complain(f"The datasets of {name} could not be renewed: {failure}", "Materialize them in the UI.")
    if failures or any(each.failed for each in found):
        raise typer.Exit(1)


def _keep(platform: Platform, path: Path, task_ids: set[str]) -> None:
    for task_id, verifier in verifiers_in(path).items():
        if task_id in task_ids and platform.pool.get(task_id) is not None:
            platform.pool.set_verifier(task_id, verifier)


def _show(found: list[Regraded], dry_run: bool) -> None:
    changed = [each for each in found if each.changed]
    if changed:
        table = Table(Column("round/task/sample", overflow="fold"), "was", "is", "because", box=None)
        for each in changed[:SHOWN]:
            reason = " ".join(each.after.grade_reason.split())[:80]
            table.add_row(
                escape(_name(each.before)), _verdict(each.before), _verdict(each.after), escape(reason)
            )
        console.print(table)
        if len(changed) > SHOWN:
            console.print(f"... and {len(changed) - SHOWN} more (--json shows all)")
        console.print()
    same = sum(not each.changed and not each.kept for each in found)
    rows = {"would change" if dry_run else "changed": str(len(changed)), "the same": str(same)}
    kept = Counter(each.kept for each in found if each.kept and not each.failed)
    for why, count in kept.most_common():
        rows[f"kept {count}"] = why
    fields(rows)
    for each in [each for each in found if each.failed][:SHOWN]:
        complain(f"{_name(each.before)} could not be graded: {each.kept}", "Mend that and run it again.")
    if dry_run and changed:
        note("Nothing was changed. Without --dry-run it is.")


def _plain(each: Regraded) -> dict[str, object]:
    return {
        "name": _name(each.before),
        "changed": each.changed,
        "was": _verdict(each.before),
        "is": _verdict(each.after),
        "reward": each.after.reward,
        "reason": each.after.grade_reason,
        "kept": each.kept,
        "failed": each.failed,
    }


def _name(trajectory: Trajectory) -> str:
    return f"{trajectory.round}/{trajectory.task_id}/{trajectory.sample}"


def _verdict(trajectory: Trajectory) -> str:
    reward = "" if trajectory.reward in (None, 0.0, 1.0) else f" {trajectory.reward:g}"
    return f"{trajectory.outcome}{reward}{' (judged)' if trajectory.judged else ''}"
