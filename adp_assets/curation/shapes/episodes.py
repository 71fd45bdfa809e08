"""Episodes with every step as it was recorded, for formats that hold more than a conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import polars as pl

from adp_assets.curation.examples import Episode
from adp_assets.curation.rows import TOLD
from adp_assets.curation.shapes.columns import about
from runtimes.contracts import Trajectory, task_from_json


def episodes(
    rows: Iterable[pl.DataFrame], trajectories_of: Callable[[list[str]], Mapping[str, Trajectory]]
) -> Iterator[Episode]:
    """The episode of each row; `trajectories_of` gives the trajectories of a batch's row ids, by id."""
    for batch in rows:
        recorded = trajectories_of(batch["id"].to_list())
        for row in batch.iter_rows(named=True):
            yield Episode(
                id=row["id"],
                split=row["split"],
                trajectory=recorded[row["id"]],
                task=task_from_json(row["task"]),
                about=about(row, TOLD),
            )
