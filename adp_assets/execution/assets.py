"""The trajectory assets, `code_trajectories` and its like: one for every task type that has a runtime."""

import dagster as dg
import polars as pl
from pydantic import Field

from adp_assets.display import bar_chart, preview
from adp_assets.execution.frames import outcome_counts, success_rate, trajectory_frame
from adp_assets.execution.pass_at_k import mean_pass_at_k
from adp_assets.intake.frames import tasks_of
from adp_assets.rounds import ROUNDS, Rounds
from adp_assets.stopping import cancelled, failing_in_words
from adp_resources.acceptance import Acceptance
from adp_resources.fanout import Work
from adp_resources.journal import Key
from adp_resources.regrading import decide_votes
from adp_resources.resources import DatabaseResource, FanOutResource
from adp_resources.task_stats import TaskRecord
from runtimes.contracts import TaskSpec


class TrajectoriesConfig(dg.Config):
    """Whether episodes are run for the asset."""

    run: bool = Field(
        default=True, description="Off: run nothing, and show what the journal has, as after `adp regrade`."
    )


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
        config: TrajectoriesConfig,
        seed_tasks: pl.DataFrame,
        database: DatabaseResource,
        fanout: FanOutResource,
    ) -> pl.DataFrame:
        round = context.partition_key
        rows = seed_tasks.filter(pl.col("task_type") == task_type)
        tasks = tasks_of(rows)
        journal = database.journal()
        journal.settle(round)
        done = journal.finished(round, task_type) | database.dead_letters().held(round)
        work = _work(rows, tasks, done) if config.run else []
        context.log.info("%s: %d episodes to run at most", round, len(work))
        with failing_in_words(context, f"{task_type} tasks of {round}: "):
            stopped = fanout.create().run(round, task_type, work, cancelled(context))
        if stopped:
            context.log.warning("Stopped before all was run: %s", stopped)
        decide_votes(journal, round, tasks.values())
        database.task_stats().refresh(round)
        acceptance = journal.acceptance(round)
        if acceptance and not acceptance.missing:
            Rounds(database.get()).give_back(round, task_type)
            database.dead_letters().keep_from(round)
        frame = trajectory_frame(journal.read_round(round, task_type), tasks)
        records = database.task_stats().within(round, task_type)
        context.add_output_metadata(
            _metadata(task_type, frame) | _rates(records) | _limits(acceptance, stopped)
        )
        return frame

    return trajectories


def _work(rows: pl.DataFrame, tasks: dict[str, TaskSpec], done: set[Key]) -> list[Work]:
    """What is to be run beyond `done`: every task's first sample before any task's second.

    A round that is stopped, by a person, a budget or its target, has then tried as many tasks as it could.
    """
    samples = list(rows.select("task_id", "samples").iter_rows())
    most = max((count for _, count in samples), default=0)
    return [
        (tasks[task_id], sample)
        for sample in range(most)
        for task_id, count in samples
        if sample < count and (task_id, sample) not in done
    ]


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


def _rates(records: list[TaskRecord]) -> dict[str, dg.MetadataValue]:
    """pass@k over the round's tasks, and the tasks themselves with the hardest first."""
    shown = pl.DataFrame(
        [(r.task_id, r.verified, r.solved, r.pass_rate, r.difficulty) for r in records],
        schema={
            "task_id": pl.String(),
            "verified": pl.Int64(),
            "solved": pl.Int64(),
            "pass_rate": pl.Float64(),
            "difficulty": pl.Float64(),
        },
        orient="row",
    ).sort("difficulty", "task_id", descending=[True, False], nulls_last=True)
    return {
        **{f"pass@{k}": dg.MetadataValue.float(value) for k, value in mean_pass_at_k(records).items()},
        "difficulty": preview(shown.with_columns(pl.col(pl.Float64).round(2)), shown.columns),
    }


def _limits(acceptance: Acceptance | None, stopped: str) -> dict[str, dg.MetadataValue]:
    """What was asked for and what was not run because of it, where there is such."""
    found: dict[str, dg.MetadataValue] = {}
    if acceptance:
        found["accept"] = dg.MetadataValue.json(
            {
                "asked": acceptance.target,
                "accepted": acceptance.accepted,
                "surplus": acceptance.surplus,
                "withheld": acceptance.withheld,
            }
        )
    if stopped:
        found["stopped"] = dg.MetadataValue.text(stopped)
    return found
