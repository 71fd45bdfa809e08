"""The trajectory assets, `code_trajectories` and its like: one for every task type that has a runtime."""

import dagster as dg
import polars as pl

from adp_assets.display import bar_chart, preview
from adp_assets.execution.frames import outcome_counts, success_rate, trajectory_frame
from adp_assets.intake.frames import tasks_of
from adp_assets.rounds import ROUNDS
from adp_assets.stopping import cancelled, failing_in_words
from adp_resources.fanout import Work
from adp_resources.resources import DatabaseResource, FanOutResource


def asset_name(task_type: str) -> str:
    """The asset that holds a task type's trajectories."""
    return f"{task_type}_trajectories"


def trajectory_asset(task_type: str) -> dg.AssetsDefinition:
    """The asset of one task type. Its pool bounds how many rounds use that type's runtime at once."""

    @dg.asset(
        name=asset_name(task_type),
        partitions_def=ROUNDS,
        group_name="execution",
        kinds={"polars", "parquet"},
        pool=f"{task_type}_runtime",
        description=f"What agents did with the round's {task_type} tasks, every step recorded and graded. "
        "Finished episodes are taken from the journal, only the rest is run.",
    )
    def trajectories(
        context: dg.AssetExecutionContext,
        seed_tasks: pl.DataFrame,
        database: DatabaseResource,
        fanout: FanOutResource,
    ) -> pl.DataFrame:
        round = context.partition_key
        rows = seed_tasks.filter(pl.col("task_type") == task_type)
        tasks = tasks_of(rows)
        journal = database.journal()
        done = journal.finished(round, task_type)
        work: list[Work] = [
            (tasks[task_id], sample)
            for task_id, samples in rows.select("task_id", "samples").iter_rows()
            for sample in range(samples)
            if (task_id, sample) not in done
        ]
        context.log.info("%s: %d episodes to run, %d taken from the journal", round, len(work), len(done))
        with failing_in_words(context, f"{task_type} tasks of {round}: "):
            fanout.create().run(round, task_type, work, cancelled(context))
        frame = trajectory_frame(journal.read_round(round, task_type), tasks)
        context.add_output_metadata(_metadata(task_type, frame))
        return frame

    return trajectories


def _metadata(task_type: str, frame: pl.DataFrame) -> dict[str, dg.MetadataValue]:
    rate = success_rate(frame)
    outcomes = outcome_counts(frame)
    return {
        "success_rate": dg.MetadataValue.float(rate) if rate is not None else dg.MetadataValue.null(),
        "outcomes": dg.MetadataValue.json(outcomes),
        "tokens": dg.MetadataValue.int(
            int(frame["prompt_tokens"].sum()) + int(frame["completion_tokens"].sum())
        ),
        "seconds_an_episode": dg.MetadataValue.float(frame["total_duration"].mean() or 0.0),  # type: ignore[arg-type]
        "preview": preview(frame, ["task_id", "outcome", "steps", "error_type", "grade_reason"]),
        "chart": bar_chart("Outcomes", {task_type: outcomes}),
    }
