"""The asset `essences`."""

from collections import Counter

import dagster as dg
import polars as pl

from adp_assets.display import bar_chart, preview
from adp_assets.distillation.eligible import eligible
from adp_assets.distillation.essences import CODE_VERSION, Distilled, distil, essence_rows
from adp_assets.execution.assets import asset_name
from adp_assets.execution.frames import trajectories_of
from adp_assets.intake.frames import tasks_of
from adp_assets.rounds import ROUNDS
from adp_assets.stopping import cancelled, failing_in_words
from adp_resources.cancellation import run_stoppable
from adp_resources.resources import ModelResource
from adp_resources.settings import secret_redactor
from adp_resources.settings_resource import SettingsResource
from runtimes.llm.base import Account

COLUMNS = {
    "essence_id": pl.String(),
    "task_id": pl.String(),
    "root_id": pl.String(),
    "round": pl.String(),
    "task_type": pl.String(),
    "domain": pl.String(),
    "query": pl.String(),
    "complexity_level": pl.String(),
    "success_pattern": pl.Struct(
        {
            "key_steps": pl.List(pl.String()),
            "execution_pattern": pl.String(),
            "success_indicators": pl.List(pl.String()),
        }
    ),
    "kind": pl.String(),
    "evidence": pl.List(pl.String()),
    "verifier": pl.String(),
    "skills": pl.List(pl.String()),
    "steps": pl.Int64(),
    "seconds": pl.Float64(),
}


def essences_asset(task_types: tuple[str, ...]) -> dg.AssetsDefinition:
    """`essences` over the trajectory assets of these types."""

    @dg.asset(
        name="essences",
        partitions_def=ROUNDS,
        ins={asset_name(kind): dg.AssetIn() for kind in task_types},
        group_name="distillation",
        kinds={"polars", "parquet", "openai"},
        code_version=CODE_VERSION,
        description="What the round teaches: domain, query, complexity and the pattern that worked, one "
        "essence a solved task; of a task never solved what it failed by, marked as a failure.",
    )
    def essences(
        context: dg.AssetExecutionContext,
        seed_tasks: pl.DataFrame,
        settings: SettingsResource,
        model: ModelResource,
        **frames: pl.DataFrame,
    ) -> pl.DataFrame:
        values = settings.get()
        found = eligible(
            (t for frame in frames.values() for t in trajectories_of(frame)), judged=values.release_judged
        )
        tasks = tasks_of(seed_tasks)

        async def run() -> Distilled:
            async with model.open(Account(round=context.partition_key, stage="distillation")) as chat:
                return await distil(found.trajectories, tasks, chat, at_once=values.synthesis_in_flight)

        with failing_in_words(context):
            distilled = run_stoppable(run, cancelled(context))
        redactor = secret_redactor(values)
        frame = pl.DataFrame(essence_rows(redactor.json(distilled.essences)), schema=COLUMNS)
        skipped = redactor.json(distilled.skipped)
        for task_id, reason in skipped.items():
            context.log.warning("%s gave no essence: %s", task_id, reason)
        domains = Counter(frame["domain"].to_list())
        context.add_output_metadata(
            {
                "eligible": len(found.trajectories),
                "processed": distilled.processed,
                "failures": frame.filter(pl.col("kind") == "failure").height,
                "skipped": len(skipped),
                "skipped_why": dg.MetadataValue.json(skipped),
                "left_out": dg.MetadataValue.json(dict(found.left_out)),
                "preview": preview(frame, ["task_id", "kind", "domain", "complexity_level", "query"]),
                "chart": bar_chart("Essences by domain", {d: {"essences": n} for d, n in domains.items()}),
            }
        )
        return frame

    return essences
