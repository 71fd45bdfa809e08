"""The assets `training_dataset`, one a round, and `dataset_release`, gathered over rounds."""

import re
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import polars as pl
from pydantic import Field

from adp_assets.curation.export import lineage_hash, split_sizes, write_dataset
from adp_assets.curation.rows import COLUMNS
from adp_assets.curation.select import select, without_duplicates
from adp_assets.display import bar_chart, preview
from adp_assets.diversity.measure import Measures
from adp_assets.diversity.store import Diversity
from adp_assets.execution.assets import asset_name
from adp_assets.execution.frames import trajectories_of
from adp_assets.intake.frames import tasks_of
from adp_assets.rounds import ROUNDS
from adp_assets.stopping import cancelled, failing_in_words
from adp_resources.cancellation import RoundCancelled
from adp_resources.resources import DatabaseResource
from adp_resources.settings_resource import SettingsResource
from runtimes.errors import ConfigurationError

RELEASES = dg.DynamicPartitionsDefinition(name="releases")
SHOWN = ["split", "task_type", "task_id", "steps", "reward", "teacher"]


def training_dataset_asset(task_types: tuple[str, ...]) -> dg.AssetsDefinition:
    """`training_dataset` over the trajectory assets of these types."""

    @dg.asset(
        name="training_dataset",
        partitions_def=ROUNDS,
        ins={asset_name(kind): dg.AssetIn() for kind in task_types},
        group_name="curation",
        kinds={"polars", "parquet", "huggingface"},
        description="The round's verified successes as training rows: exact duplicates removed, split by "
        "root seed, written as Parquet with a dataset card.",
    )
    def training_dataset(
        context: dg.AssetExecutionContext,
        seed_tasks: pl.DataFrame,
        settings: SettingsResource,
        database: DatabaseResource,
        **frames: pl.DataFrame,
    ) -> pl.DataFrame:
        selection = select(
            (t for frame in frames.values() for t in trajectories_of(frame)),
            tasks_of(seed_tasks),
            judged=settings.get().release_judged,
        )
        folder = settings.get().output / "datasets" / context.partition_key
        chain = Diversity(database.get()).chain(context.partition_key)
        _publish(context, folder, selection.rows, selection.funnel, chain)
        return selection.rows

    return training_dataset


class ReleaseConfig(dg.Config):
    """What a release gathers."""

    rounds: list[str] = Field(
        default_factory=list, description="Rounds to gather; empty means every round with a dataset."
    )


@dg.asset(
    partitions_def=RELEASES,
    deps=["training_dataset"],
    group_name="curation",
    kinds={"polars", "parquet", "huggingface"},
    description="A release: the datasets of many rounds in one, duplicates across rounds removed. "
    "`adp export` materializes one.",
)
def dataset_release(
    context: dg.AssetExecutionContext,
    config: ReleaseConfig,
    settings: SettingsResource,
    database: DatabaseResource,
) -> pl.DataFrame:
    output = settings.get().output
    with failing_in_words(context):
        folder = release_folder(output, context.partition_key)
    datasets = output / "assets" / "training_dataset"
    known = sorted(path.stem for path in datasets.glob("*.parquet"))
    missing = sorted(set(config.rounds) - set(known))
    chosen = config.rounds or known
    if missing or not chosen:
        what = f"no training_dataset of {', '.join(missing)}" if missing else "no round with a dataset yet"
        raise dg.Failure(f"There is {what}. Materialize it first (adp run).", allow_retries=False)
    parts = [pl.read_parquet(datasets / f"{round}.parquet") for round in chosen]
    gathered = pl.concat(parts) if parts else pl.DataFrame(schema=COLUMNS)
    rows = without_duplicates(gathered)
    funnel = {"rows of all rounds": gathered.height, "without exact duplicates": rows.height}
    measured = Diversity(database.get()).all()
    _publish(context, folder, rows, funnel, {name: measured[name] for name in measured if name in chosen})
    return rows


def release_folder(output: Path, name: str) -> Path:
    """Where a new release goes. Raises ConfigurationError for a name that is no folder's, or is taken."""
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise ConfigurationError(
            f"The release's name {name!r} cannot name a folder.",
            "Use letters, digits, '-', '_' and '.', a letter or digit first.",
        )
    folder = output / "releases" / name
    if folder.exists():
        raise ConfigurationError(
            f"There is a release {name} in {folder}, and a release is never changed.", "Choose another name."
        )
    return folder


def _publish(
    context: dg.AssetExecutionContext,
    folder: Path,
    rows: pl.DataFrame,
    funnel: dict[str, int],
    diversity: Mapping[str, Measures],
) -> None:
    with failing_in_words(context):
        if cancelled(context)():
            raise RoundCancelled()
        write_dataset(folder, rows, funnel, made_by=context.run.run_id, diversity=diversity)
    context.add_output_metadata(
        {
            "dataset": dg.MetadataValue.path(folder),
            "splits": dg.MetadataValue.json(split_sizes(rows)),
            "funnel": dg.MetadataValue.json(funnel),
            "lineage_hash": lineage_hash(rows),
            "preview": preview(rows, SHOWN),
            "chart": bar_chart("Funnel", {stage: {"trajectories": count} for stage, count in funnel.items()}),
        }
    )
