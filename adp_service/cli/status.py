"""`adp status`: the rounds, and what waits in the pool."""

from __future__ import annotations

from collections import Counter

import dagster as dg
from rich.table import Column, Table

from adp_service.cli.output import console
from adp_service.driver import LAST_ASSET, is_interrupted
from adp_service.platform import Platform


def status() -> None:
    """List every round with its outcomes and its state, and the tasks that wait in the pool.

    The process of an `interrupted` round is gone: `adp run` goes on with it.
    """
    platform = Platform({})
    done = platform.instance.get_materialized_partitions(LAST_ASSET)
    table = Table(
        Column("round", no_wrap=True, min_width=10),  # a cut name could not be given to `adp cancel`
        *("follows", "tasks", "episodes", "solved", "unsolved", "unverified", "infra", "state"),
        box=None,  # with lines between them the columns do not fit into 80 characters
        collapse_padding=True,
        pad_edge=False,
    )
    for planned in platform.rounds.all():
        outcomes: Counter[str] = Counter()
        for (_, outcome), count in platform.journal.outcomes(planned.name).items():
            outcomes[outcome] += count
        tasks = sum(platform.rounds.task_counts(planned.name).values())
        table.add_row(
            planned.name,
            planned.follows or "",
            str(tasks),
            f"{sum(outcomes.values())}/{tasks * planned.samples}",
            str(outcomes["solved"]),
            str(outcomes["unsolved"]),
            str(outcomes["unverified"]),
            str(outcomes["infrastructure_error"]),
            _state(platform.instance, planned.name, done),
        )
    console.print(table if table.row_count else "No round has been run yet: adp run FILE")
    waiting = {kind: n for (state, kind), n in platform.pool.counts().items() if state == "pending"}
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(waiting.items()))
    console.print(f"Waiting in the pool: {sum(waiting.values())} tasks{f' ({kinds})' if kinds else ''}")


def _state(instance: dg.DagsterInstance, name: str, done: set[str]) -> str:
    runs = instance.get_runs(dg.RunsFilter(tags={"dagster/partition": name}), limit=1)
    if not runs:
        return "complete" if name in done else "planned"
    if runs[0].is_success:
        return "complete" if name in done else "partial"
    return "interrupted" if is_interrupted(runs[0]) else runs[0].status.value.lower()
