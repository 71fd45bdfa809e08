"""The assets of curation: `training_rows` and `training_dataset`, one a round, and `dataset_release`."""

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
from pydantic import Field

from adp_assets.curation.curate import Curation, curate
from adp_assets.curation.decontamination.evaluation import EvaluationSet
from adp_assets.curation.filters import NOT_BUILTIN
from adp_assets.curation.recipe import Recipe, parse_recipe, recipe_of
from adp_assets.curation.release.card import table
from adp_assets.curation.release.gates import GATES
from adp_assets.curation.release.manifest import lineage_hash, split_sizes, teachers
from adp_assets.curation.release.publish import Dataset, publish
from adp_assets.curation.release.recordings import Recordings
from adp_assets.curation.release.releases import release_folder
from adp_assets.curation.release.remote import check_place, put_release
from adp_assets.curation.release.reporting import report_of
from adp_assets.curation.release.writing import outputs
from adp_assets.curation.rows import rows_of
from adp_assets.curation.store import RowStore
from adp_assets.display import bar_chart, preview
from adp_assets.diversity.store import Diversity
from adp_assets.execution.assets import asset_name
from adp_assets.execution.frames import trajectories_of
from adp_assets.findings import Finding
from adp_assets.intake.frames import tasks_of
from adp_assets.rounds import ROUNDS
from adp_assets.stopping import cancelled, failing_in_words
from adp_resources.cancellation import RoundCancelled
from adp_resources.resources import DatabaseResource
from adp_resources.settings import Settings
from adp_resources.settings_resource import SettingsResource
from runtimes.errors import ConfigurationError

RELEASES = dg.DynamicPartitionsDefinition(name="releases")
SHOWN = ["split", "task_type", "task_id", "steps", "reward", "teacher"]


def training_rows_asset(task_types: tuple[str, ...]) -> dg.AssetsDefinition:
    """`training_rows` over the trajectory assets of these types."""

    @dg.asset(
        name="training_rows",
        partitions_def=ROUNDS,
        ins={asset_name(kind): dg.AssetIn() for kind in task_types},
        group_name="curation",
        kinds={"polars", "parquet"},
        description="Every trajectory of the round as a row: its conversation as trainers read it, and what "
        "datasets choose by. Nothing is left out here.",
    )
    def training_rows(
        context: dg.AssetExecutionContext, seed_tasks: pl.DataFrame, **frames: pl.DataFrame
    ) -> pl.DataFrame:
        trajectories = (t for frame in frames.values() for t in trajectories_of(frame))
        rows = rows_of(trajectories, tasks_of(seed_tasks))
        unrenderable = rows.filter(pl.col("unrenderable") != "")
        context.add_output_metadata(
            {
                "unrenderable": dg.MetadataValue.int(unrenderable.height),
                "preview": preview(rows, ["task_id", "outcome", "steps", "characters", "language"]),
                "chart": bar_chart("Rows by task type", _outcomes(rows)),
            }
        )
        return rows

    return training_rows


@dg.asset(
    partitions_def=ROUNDS,
    deps=["training_rows"],
    group_name="curation",
    kinds={"polars", "parquet", "huggingface"},
    description="The round's verified successes as training rows: filtered, exact and near duplicates and "
    "evaluation items removed, split by family, written as Parquet with a dataset card.",
)
def training_dataset(
    context: dg.AssetExecutionContext, settings: SettingsResource, database: DatabaseResource
) -> pl.DataFrame:
    values = settings.get()
    name = context.partition_key
    asked = {"rounds": [name], "builtin": True, "judged": values.release_judged}
    recipe = recipe_of(asked, f"The dataset of {name}")
    with failing_in_words(context):
        dataset = _dataset(context, values, database, name, recipe, [name])
        findings = publish(values.output / "datasets" / name, dataset, values.max_success_drift)
    for each, finding in findings.items():
        if not finding.passed and finding.stops:
            context.log.warning("%s: %s", each, finding.said)
    url = values.report_url("datasets", name)
    context.add_output_metadata(_metadata(dataset.curation, values.output / "datasets" / name, url))
    return dataset.rows()


class ReleaseConfig(dg.Config):
    """What a release holds."""

    recipe: str = Field(
        default="",
        description="A recipe in YAML (docs/datasets.md), such as `min_reward: 1`; an empty one takes every "
        "round's verified successes but the built-in teacher's.",
    )


@dg.asset(
    partitions_def=RELEASES,
    deps=["training_rows"],
    group_name="curation",
    kinds={"polars", "parquet", "huggingface"},
    check_specs=[
        dg.AssetCheckSpec(name, asset="dataset_release", description=said, blocking=True)
        for name, said in GATES.items()
    ],
    description="A release: rows of many rounds chosen by a recipe, duplicates across rounds removed, in the "
    "shapes and formats asked for. Never changed, and never there before all checks pass. "
    "`adp export` materializes one.",
)
def dataset_release(
    context: dg.AssetExecutionContext,
    config: ReleaseConfig,
    settings: SettingsResource,
    database: DatabaseResource,
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    values = settings.get()
    name = context.partition_key
    with failing_in_words(context):
        folder = release_folder(values.output, name)
        place = f"The recipe of release {name}"
        asked = {"judged": values.release_judged, **parse_recipe(config.recipe, place)}
        recipe = recipe_of(asked, place)
        rounds = recipe.rounds or RowStore.rounds(values.output)
        outputs(recipe)
        if recipe.to:
            check_place(name, recipe.to)
        dataset = _dataset(context, values, database, name, recipe, rounds)
        if why := dataset.curation.why_empty():
            raise ConfigurationError(f"Nothing is left for release {name}: {why}.", _more(why))
        findings = publish(folder, dataset, values.max_success_drift, blocking=True)
    yield from (_check(each, finding) for each, finding in findings.items())
    if any(finding.stops and not finding.passed for finding in findings.values()):
        raise dg.Failure(f"Release {name} was not made: a check stopped it.", allow_retries=False)
    metadata = _metadata(dataset.curation, folder, values.report_url("releases", name))
    if recipe.to:
        with failing_in_words(context, f"Release {name} is whole in {folder}, and no copy was made: "):
            metadata["copy"] = dg.MetadataValue.text(put_release(folder, recipe.to))
    yield dg.MaterializeResult(metadata=metadata)


def _more(why: str) -> str:
    if NOT_BUILTIN in why:
        return "Run some tasks with a language model, or take them all the same: `builtin: true`, --builtin."
    return "Let its recipe choose more, or name other rounds."


def _outcomes(rows: pl.DataFrame) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    counts = rows.group_by("task_type", "outcome").len().sort("task_type", "outcome")
    for task_type, outcome, count in counts.iter_rows():
        found.setdefault(task_type, {})[outcome] = count
    return found


def _dataset(
    context: dg.AssetExecutionContext,
    values: Settings,
    database: DatabaseResource,
    name: str,
    recipe: Recipe,
    rounds: list[str],
) -> Dataset:
    asked = cancelled(context)

    def stop() -> None:
        if asked():
            raise RoundCancelled()

    stop()
    store = RowStore.of_rounds(values.output, rounds)
    place = recipe.evaluation or values.evaluation_dir
    evaluation = EvaluationSet.read(values.path(place)) if place else None
    curation = curate(
        store, recipe, difficulty=database.task_stats().difficulties(), evaluation=evaluation, stop=stop
    )
    measured = Diversity(database.get()).all()
    diversity = {round: measured[round] for round in rounds if round in measured}
    return Dataset(
        name=name,
        recipe=recipe,
        store=store,
        curation=curation,
        evaluation=(place, evaluation) if evaluation else None,
        diversity=diversity,
        report=report_of(values.output, database.get(), name, rounds, curation, diversity),
        recorded=Recordings(values.output).of,
        made_by=context.run.run_id,
        made_at=time.time(),
        stop=stop,
    )


def _check(name: str, finding: Finding) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        passed=finding.passed,
        severity=dg.AssetCheckSeverity.ERROR if finding.stops else dg.AssetCheckSeverity.WARN,
        description=finding.said,
        metadata={"offending": ", ".join(finding.faults)} if finding.faults else {},
    )


def _metadata(curation: Curation, folder: Path, report_url: str) -> dict[str, dg.MetadataValue]:
    kept = curation.kept
    funnel = curation.funnel
    return {
        "dataset": dg.MetadataValue.path(folder),
        "report": dg.MetadataValue.url(report_url),
        "dagster/row_count": dg.MetadataValue.int(kept.height),
        "splits": dg.MetadataValue.json(split_sizes(kept)),
        "teachers": dg.MetadataValue.json(teachers(kept)),
        "funnel": dg.MetadataValue.json(list(map(list, funnel.items()))),
        "stages": dg.MetadataValue.md(table(("stage", "trajectories"), funnel)),
        "lineage_hash": dg.MetadataValue.text(lineage_hash(kept)),
        "preview": preview(kept, SHOWN),
        "chart": bar_chart("Funnel", {stage: {"trajectories": count} for stage, count in funnel.items()}),
    }
