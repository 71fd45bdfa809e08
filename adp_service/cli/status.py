"""`adp status`: the rounds and what waits in the pool, or one round and its tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from textwrap import fill
from typing import Annotated, Any

import dagster as dg
import typer
from rich.markup import escape
from rich.table import Column, Table

from adp_assets.diversity.shown import in_words
from adp_assets.diversity.store import Diversity
from adp_assets.execution.pass_at_k import mean_pass_at_k
from adp_assets.rounds import IMPORT, Round
from adp_resources.acceptance import Acceptance
from adp_resources.task_stats import TaskRecord
from adp_service.cli.output import FIELD, console, counted, fields, id_column, print_table
from adp_service.cli.summary import accepted_in_words
from adp_service.driver import completed, is_interrupted, why_stopped
from adp_service.platform import Platform
from runtimes.errors import ConfigurationError

MAX_TASKS = 50


def status(
    round: Annotated[
        str | None, typer.Argument(help="One round: its pass@k, and its tasks with the hardest first.")
    ] = None,
    diversity: Annotated[
        bool,
        typer.Option("--diversity", help="How varied the tasks of each round are, in place of its outcomes."),
    ] = False,
) -> None:
    """List every round with its outcomes and its state, and the tasks that wait in the pool.

    The process of an `interrupted` round is gone: `adp run` goes on with it.
    """
    platform = Platform({})
    if round is not None:
        _one_round(platform, round)
        return
    if diversity:
        _diversity(platform)
        return
    done = completed(platform)
    planned = platform.rounds.all()
    targets = {each.name: platform.journal.acceptance(each.name) for each in planned if each.accept}
    columns = ["tasks", "episodes", "solved", "unsolved", "unverified", "infra", "pass@1", "state"]
    if targets:
        columns.insert(3, "accept")
    table = Table(
        Column("round", no_wrap=True, min_width=10),  # a cut name could not be given to `adp cancel`
        *columns,
        box=None,  # with lines between them the columns do not fit into 80 characters
        collapse_padding=True,
        pad_edge=False,
    )
    for each in planned:
        cells = _cells(platform, each, targets.get(each.name)) | {
            "state": _state(platform.instance, each, done)
        }
        table.add_row(each.name, *(cells[name] for name in columns))
    if table.row_count:
        print_table(table)
    else:
        console.print("No round has been run yet: adp run FILE")
    waiting = {kind: n for (state, kind), n in platform.pool.counts().items() if state == "pending"}
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(waiting.items()))
    console.print(
        f"Waiting in the pool: {counted(sum(waiting.values()), 'task')}{f' ({kinds})' if kinds else ''}"
    )
    if in_review := platform.pool.in_review():
        console.print(f"Waiting for a person: {counted(in_review, 'task')}, see `adp review list`")
    if dead := sum(platform.dead_letters.in_rounds("dead").values()):
        console.print(f"Dead letters: {dead}, see `adp dlq list`")


def _diversity(platform: Platform) -> None:
    measured = Diversity(platform.database).all()
    columns = ["tasks", "3-grams", "domains", "tools", "copies", "to seeds", "roots", "largest", "depth"]
    table = Table(
        Column("round", no_wrap=True, min_width=10),
        *columns,
        box=None,
        collapse_padding=True,
        pad_edge=False,
    )
    for name, each in measured.items():
        seeds = "" if each.from_seeds is None else f"{each.from_seeds:.2f}"
        lineage = each.lineage
        table.add_row(
            *(name, str(each.tasks), f"{each.distinct[2]:.2f}"),
            *(f"{each.domains.bits:.2f}", f"{each.tools.bits:.2f}", f"{each.near_duplicates:.1%}", seeds),
            *(str(lineage.roots), f"{lineage.largest_root:.0%}", str(lineage.depth)),
        )
    console.print(table if table.row_count else "No round was measured yet: adp run FILE")
    if measured:
        console.print(
            "3-grams: the distinct share of all. Domains and tools: entropy in bits. Copies: near copies of "
            "another task of the round. Largest: the share of the largest root seed."
        )


def _cells(platform: Platform, planned: Round, acceptance: Acceptance | None) -> dict[str, str]:
    outcomes: Counter[str] = Counter()
    for (_, outcome), count in platform.journal.outcomes(planned.name).items():
        outcomes[outcome] += count
    tasks = sum(platform.rounds.task_counts(planned.name).values())
    means = mean_pass_at_k(platform.task_stats.within(planned.name))
    return {
        "tasks": str(platform.journal.tried([planned.name])[1] if acceptance else tasks),
        "episodes": f"{outcomes.total()}" if acceptance else f"{outcomes.total()}/{tasks * planned.samples}",
        "solved": str(outcomes["solved"]),
        "accept": f"{acceptance.accepted}/{acceptance.target}" if acceptance else "",
        "unsolved": str(outcomes["unsolved"]),
        "unverified": str(outcomes["unverified"]),
        "infra": str(outcomes["infrastructure_error"]),
        "pass@1": f"{means[1]:.2f}" if means else "",
    }


def _one_round(platform: Platform, name: str) -> None:
    planned = platform.rounds.get(name)
    if planned is None:
        known = ", ".join(each.name for each in platform.rounds.all()[-5:]) or "none"
        raise ConfigurationError(f"There is no round {name!r}.", f"The newest rounds: {known}.")
    console.rule(f"[bold]{escape(name)}")
    means = mean_pass_at_k(platform.task_stats.within(name))
    rows = {
        "state": _state(platform.instance, planned, completed(platform)),
        "follows": planned.follows or "no round",
        "samples": f"{planned.samples} a task",
        "pass@k": ", ".join(f"{value:.2f} at {k}" for k, value in means.items()) or "nothing is verified",
    }
    if acceptance := platform.journal.acceptance(name):
        rows["accepted"] = accepted_in_words(acceptance)
    if selection := platform.rounds.selection(name):
        rows["chosen"] = _chosen(selection)
    if measures := Diversity(platform.database).get(name):
        rows["diversity"] = fill(in_words(measures), FIELD)
    if reason := why_stopped(platform, name):
        rows["stopped"] = reason
    fields(rows)
    _print_tasks(platform, name)


def _print_tasks(platform: Platform, name: str) -> None:
    """The round's tasks, those first that are hard, and last those that never had a fair try."""
    records = {record.task_id: record for record in platform.task_stats.of_round(name)}
    ended = platform.journal.ended(name)
    task_ids = list(records | ended)
    shown = task_ids[:MAX_TASKS]
    table = Table(
        id_column("task", shown),
        *("solved", "pass rate", "difficulty", "in this round"),
        box=None,
        pad_edge=False,
    )
    for task_id in shown:
        here = ", ".join(f"{how} {count}" for how, count in ended.get(task_id, Counter()).most_common())
        table.add_row(escape(task_id), *_rates(records.get(task_id)), here)
    console.print("\nIts tasks, the hardest first; solved, pass rate and difficulty are over all rounds:")
    print_table(table)
    if len(task_ids) > MAX_TASKS:
        console.print(f"... and {len(task_ids) - MAX_TASKS} more")


def _rates(record: TaskRecord | None) -> list[str]:
    """Solved of verified tries, pass rate and difficulty."""
    if record is None:
        return ["0/0", "", ""]
    rates = (record.pass_rate, record.difficulty)
    return [f"{record.solved}/{record.verified}", *("" if rate is None else f"{rate:.2f}" for rate in rates)]


def _chosen(selection: Mapping[str, Any]) -> str:
    rules = ", ".join(f"{count} by {rule}" for rule, count in selection["rules"].items())
    if set(selection["rules"]) <= {"people"}:
        return rules
    expected = selection["expected_pass"]
    known = "" if expected is None else f"; expected to be solved {expected:.2f} of the time"
    held = selection.get("held_back")
    quota = (
        f"\n{held} wait: their seeds have had their {selection['root_quota']} (ROOT_SHARE)" if held else ""
    )
    return f"{rules}{known}{quota}\naim {selection['aim']:.2f}: {selection['why']}"


def _state(instance: dg.DagsterInstance, planned: Round, done: set[str]) -> str:
    runs = instance.get_runs(dg.RunsFilter(tags={"dagster/partition": planned.name}), limit=1)
    if not runs:
        return "complete" if planned.name in done else "planned"
    if runs[0].is_success:
        if planned.driver == IMPORT:
            return "imported"
        return "complete" if planned.name in done else "partial"
    return "interrupted" if is_interrupted(runs[0]) else runs[0].status.value.lower()
