"""Rows of rounds on disk, as the tests of curation want them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from adp_assets.curation.curate import Curation, curate
from adp_assets.curation.recipe import recipe_of
from adp_assets.curation.rows import rows_of
from adp_assets.curation.store import RowStore
from adp_resources.parquet import write_frame
from runtimes.contracts import TaskSpec, Trajectory
from tests.adp_assets.tasks import task


def stored(folder: Path, *trajectories: Trajectory, tasks: Mapping[str, TaskSpec] | None = None) -> RowStore:
    """The rows of these trajectories, a file a round."""
    known = tasks or {each.task_id: task(each.task_id) for each in trajectories}
    files = []
    for name, part in groupby(sorted(trajectories, key=lambda each: each.round), lambda each: each.round):
        files.append(folder / f"{name}.parquet")
        write_frame(rows_of(part, known), files[-1], {})
    return RowStore(files)


def curated(
    folder: Path,
    *trajectories: Trajectory,
    tasks: Mapping[str, TaskSpec] | None = None,
    difficulties: Mapping[str, float | None] = {},
    **recipe: Any,
) -> Curation:
    """What a recipe makes of these trajectories; evaluation sets are not looked at."""
    store = stored(folder, *trajectories, tasks=tasks)
    return curate(store, recipe_of(recipe, "the test's recipe"), difficulty=difficulties)


def kept(folder: Path, *trajectories: Trajectory, **recipe: Any) -> list[str]:
    """The ids of the tasks of the rows that are kept."""
    return curated(folder, *trajectories, **recipe).kept["task_id"].to_list()
