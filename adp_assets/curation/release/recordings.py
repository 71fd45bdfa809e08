"""The whole trajectories behind rows, from the frames of the rounds' trajectory assets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from adp_resources.parquet import slices
from runtimes.contracts import Trajectory, trajectory_from_json
from runtimes.errors import ConfigurationError

BATCH = 500
"""Trajectories in memory at once; with a page in each step one takes a few hundred kilobytes."""


@dataclass(frozen=True)
class Recordings:
    """Those of the platform's output folder."""

    output: Path

    def of(self, ids: Sequence[str]) -> dict[str, Trajectory]:
        """Trajectories by the ids of their rows. Raises ConfigurationError for one that is gone."""
        rounds = sorted({each.split("/", 1)[0] for each in ids})
        files = [path for round in rounds for path in self.files(round)]
        named = pl.format("{}/{}/{}", "round", "task_id", "sample").alias("id")
        found: dict[str, Trajectory] = {}
        if files:
            rows = pl.scan_parquet(files).select(named, "trajectory").filter(pl.col("id").is_in(list(ids)))
            found = {each: trajectory_from_json(document) for each, document in rows.collect().iter_rows()}
        if missing := [each for each in ids if each not in found]:
            raise ConfigurationError(
                f"The trajectories of {len(missing)} rows are gone, such as {missing[0]}.",
                "Materialize their round's trajectories again, or leave the shape `trajectories` out.",
            )
        return found

    def frames(self, rounds: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The frames of rounds, some rows at a time."""
        for path in (path for round in rounds for path in self.files(round)):
            yield from slices(path, BATCH)

    def files(self, round: str) -> list[Path]:
        """The frames of a round, one a task type."""
        return sorted((self.output / "assets").glob(f"*_trajectories/{round}.parquet"))
