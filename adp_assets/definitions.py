"""The code location: everything Dagster shows and runs, built by one function that takes overrides."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from adp_assets.automation import (
    daily_schedule,
    dead_letters_job,
    inbox_sensor,
    next_round_sensor,
    release_job,
    round_job,
)
from adp_assets.checks import all_checks
from adp_assets.curation.assets import dataset_release, training_dataset, training_rows_asset
from adp_assets.distillation.assets import essences_asset
from adp_assets.execution.assets import trajectory_asset
from adp_assets.execution.dead_letters import dead_letters_asset, none_waits
from adp_assets.intake.assets import seed_tasks
from adp_assets.mutation.assets import mutated_tasks_asset
from adp_resources.resources import resources
from runtimes.registry import task_types

OWNERS = ["team:agent-data"]


def build_defs(overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """The definitions; `overrides` replace resources by name, such as model or fanout."""
    kinds = task_types()
    assets = [
        seed_tasks,
        *map(trajectory_asset, kinds),
        dead_letters_asset(kinds),
        essences_asset(kinds),
        mutated_tasks_asset(),
        training_rows_asset(kinds),
        training_dataset,
        dataset_release,
    ]
    job = round_job(kinds)
    return dg.Definitions(
        assets=[asset.map_asset_specs(_owned) for asset in assets],
        asset_checks=[*all_checks(kinds), none_waits],
        jobs=[job, release_job(), dead_letters_job()],
        sensors=[next_round_sensor(kinds, job), inbox_sensor(job)],
        schedules=[daily_schedule(job)],
        resources={**resources(), **(overrides or {})},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster dev`, `dg dev` and the code server load."""
    return build_defs()


def _owned(spec: dg.AssetSpec) -> dg.AssetSpec:
    return spec.replace_attributes(owners=OWNERS)
