"""The asset `seed_tasks`: a round's frozen choice of tasks, after task files were taken into the pool."""

from collections import Counter
from itertools import islice
from pathlib import Path

import dagster as dg
import polars as pl
from pydantic import Field

from adp_assets.display import bar_chart, preview
from adp_assets.diversity.shown import diversity_metadata
from adp_assets.diversity.store import Diversity
from adp_assets.intake.frames import task_frame
from adp_assets.intake.known import KnownTasks
from adp_assets.intake.notes import Notes
from adp_assets.intake.pool import TaskPool
from adp_assets.intake.task_files import IntakeReport, TaskFiles
from adp_assets.rounds import ROUNDS, Plan, Rounds
from adp_assets.selection.aim import Mix
from adp_resources.resources import DatabaseResource
from adp_resources.settings import Settings
from adp_resources.settings_resource import SettingsResource
from adp_resources.toolbox import toolbox_of
from runtimes.errors import ConfigurationError, PlatformError

SHOWN_REASONS = 20


class RoundConfig(dg.Config):
    """How a round is planned when it is first materialized; later materializations keep its tasks."""

    task_files: list[str] = Field(
        default_factory=list, description="Task files to read first; without one, TASK_FILE where it exists."
    )
    only_these_files: bool = Field(
        default=False, description="Take only tasks that came from these files, or were made from such."
    )
    types: list[str] = Field(default_factory=list, description="Task types to take; empty means all.")
    samples: int = Field(default=0, ge=0, description="Episodes a task; 0 means the setting SAMPLES.")
    accept: int = Field(
        default=0,
        ge=0,
        description="Stop when the round and those before it have so many solved trajectories; 0 runs all. "
        "The first round of a chain says it for all.",
    )
    max_tasks: int = Field(default=0, ge=0, description="Tasks to take at most; 0 means ROUND_SIZE.")
    again: bool = Field(default=False, description="Also take tasks that earlier rounds have run.")
    follows: str = Field(default="", description="The round this one follows, which bounds the chain.")
    max_rounds: int = Field(default=0, ge=0, description="Rounds in the chain; 0 means MAX_ROUNDS.")
    driver: str = Field(default="person", description="Who plans what follows: person, sensor or command.")


@dg.asset(
    partitions_def=ROUNDS,
    group_name="intake",
    kinds={"polars", "parquet"},
    description="The tasks of a round, frozen: task files are read into the pool, then the round takes its "
    "share: people's own by priority and age, then a mix of those made from them. Materializing the round "
    "again gives the same tasks.",
)
def seed_tasks(
    context: dg.AssetExecutionContext,
    config: RoundConfig,
    settings: SettingsResource,
    database: DatabaseResource,
) -> pl.DataFrame:
    values = settings.get()
    files = [Path(name) for name in config.task_files] or _default_files(values)
    try:
        reports = read_task_files(TaskPool(database.get()), values, files)
        rounds = Rounds(database.get())
        planned = rounds.plan(context.partition_key, _plan(config, values))
    except PlatformError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    for report in reports:
        for number, reason in report.rejected:
            context.log.warning("%s:%d rejected: %s", report.path, number, reason)
        for said, numbers in report.notes.items():
            context.log.warning("%s:%d: %s (%d lines)", report.path, numbers[0], said, len(numbers))
    tasks = rounds.tasks(planned.name)
    diversity = Diversity(database.get())
    diversity.take(planned.name, tasks)
    frame = task_frame(tasks, planned.samples)
    types = Counter(frame["task_type"].to_list())
    context.add_output_metadata(
        {
            "tasks": frame.height,
            "samples": planned.samples,
            "accepted_lines": sum(len(report.accepted) for report in reports),
            "duplicate_lines": sum(len(report.duplicates) for report in reports),
            "rejected_lines": sum(len(report.rejected) for report in reports),
            "preview": preview(frame, ["task_id", "task_type", "priority", "operator", "description"]),
            "chart": bar_chart("Tasks by type", {kind: {"tasks": count} for kind, count in types.items()}),
            "selection": dg.MetadataValue.json(rounds.selection(planned.name) or {}),
            "reasons": dg.MetadataValue.json(
                dict(islice(rounds.reasons(planned.name).items(), SHOWN_REASONS))
            ),
            **diversity_metadata(diversity.chain(planned.name)),
        }
    )
    return frame


def task_files(pool: TaskPool, settings: Settings) -> TaskFiles:
    """What reads task files as these settings say, and tells what is odd about tasks."""
    notes = Notes(toolbox_of(settings, pool.database))
    return TaskFiles(pool, settings.output / "rejected", settings.task_timeout, notes)


def read_task_files(
    pool: TaskPool, settings: Settings, paths: list[Path], again: KnownTasks | None = None
) -> list[IntakeReport]:
    """Take task files into the pool; what is no task file is passed over with a warning.

    With `again` the whole of each, so that the pool has the files' versions of tasks it knows. Raises
    ConfigurationError when none of them is one.
    """
    reader = task_files(pool, settings)
    reports: list[IntakeReport] = []
    errors: list[ConfigurationError] = []
    for path in paths:
        try:
            reports.append(reader.read(settings.path(path), again))
        except ConfigurationError as error:
            errors.append(error)
    if errors and not reports:
        raise errors[0]
    for each in errors:
        dg.get_dagster_logger().warning("Passed over: %s", each)
    return reports


def _default_files(settings: Settings) -> list[Path]:
    path = settings.path(settings.task_file)
    return [path] if path.exists() else []


def _plan(config: RoundConfig, settings: Settings) -> Plan:
    sources = tuple(str(settings.path(name)) for name in config.task_files) if config.only_these_files else ()
    return Plan(
        samples=config.samples or settings.samples,
        size=min(config.max_tasks or settings.round_size, settings.round_size),
        types=tuple(config.types),
        sources=sources,
        again=config.again,
        follows=config.follows or None,
        max_rounds=config.max_rounds or settings.max_rounds,
        driver=config.driver,
        accept=config.accept or None,
        mix=Mix(settings.pass_rate_min, settings.pass_rate_max, settings.root_share, settings.trial_samples),
    )
