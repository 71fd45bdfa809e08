"""What the report of a dataset tells: every trajectory of its rounds, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from adp_assets.curation.curate import Curation
from adp_assets.curation.release.recordings import Recordings
from adp_assets.diversity.measure import Measures
from adp_assets.intake.frames import tasks_of
from adp_assets.intake.pool import TaskPool
from adp_assets.report.content import Report, Table
from adp_resources.database import Database
from adp_resources.task_stats import TaskStats
from runtimes.contracts import TaskSpec
from runtimes.web.page.screenshots import FOLDER

SHOWN_HITS = ["id", "file", "place", "field", "coverage", "coverage_13", "evidence", "item"]


def report_of(
    output: Path,
    database: Database,
    name: str,
    rounds: Sequence[str],
    curation: Curation,
    diversity: Mapping[str, Measures],
) -> Report:
    """The report of a dataset that was chosen from these rounds."""
    recordings = Recordings(output)
    tasks = _tasks(output, rounds)
    _add_ancestors(tasks, TaskPool(database))
    stats = TaskStats(database)
    return Report(
        title=name,
        count=curation.rows.height,
        trajectories=recordings.frames(rounds),
        tasks=tasks.values(),
        fates=_fates(curation),
        funnel=curation.funnel,
        diversity=diversity,
        records={record.task_id: record for round in rounds for record in stats.of_round(round)}.values(),
        screenshots=output / "trajectories" / FOLDER,
        about={"rounds": ", ".join(rounds) if len(rounds) < 10 else f"{len(rounds):,}"},
        tables=_tables(curation.hits),
    )


def _fates(curation: Curation) -> pl.DataFrame:
    kept = pl.col("dropped") == ""
    split = pl.when(kept).then("split").otherwise(pl.lit("")).alias("split")
    return curation.rows.select("id", split, "dropped")


def _tasks(output: Path, rounds: Sequence[str]) -> dict[str, TaskSpec]:
    found: dict[str, TaskSpec] = {}
    for round in rounds:
        path = output / "assets" / "seed_tasks" / f"{round}.parquet"
        if path.exists():
            found |= tasks_of(pl.read_parquet(path, columns=["spec"]))
    return found


def _add_ancestors(tasks: dict[str, TaskSpec], pool: TaskPool) -> None:
    """The tasks that these were made from, and so on up to the seeds, as far as the pool has them."""
    missing = {parent for task in tasks.values() for parent in task.lineage.parents} - tasks.keys()
    while missing:
        found = pool.many(sorted(missing))
        tasks |= found
        missing = {parent for task in found.values() for parent in task.lineage.parents} - tasks.keys()


def _tables(hits: pl.DataFrame) -> list[Table]:
    if hits.is_empty():
        return []
    shown = hits.select(SHOWN_HITS).with_columns(pl.col("coverage", "coverage_13").round(2).fill_null(0))
    columns = ["trajectory", *SHOWN_HITS[1:]]
    return [
        Table("Evaluation items in trajectories", columns, shown.rows(), "None of these is in the dataset.")
    ]
