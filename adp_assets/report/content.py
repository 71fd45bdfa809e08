"""What a report is made of, as its callers say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from adp_assets.diversity.measure import Measures
from adp_resources.task_stats import TaskRecord
from runtimes.contracts import TaskSpec

MAX_LISTED = 10_000
"""Trajectories that can be opened. The list of more is a sample by id, and says so; the charts count all."""

MAX_TABLE_ROWS = 500


@dataclass(frozen=True)
class Table:
    """Something found that is to be read row by row, such as what was contaminated and by which item.

    A cell of the column named `trajectory` that holds a listed trajectory's id becomes a link to it.
    The page shows `MAX_TABLE_ROWS` and how many there are.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is reported about `count` trajectories.

    `trajectories` are frames of them with the columns of `execution.frames.COLUMNS`, read once and one at a
    time; columns that older rounds have not may lack. `fates` says by id, "<round>/<task_id>/<sample>", where
    each went: `split` where it was kept, `dropped`, the funnel's stage, where not; both are text. `funnel` is
    how many were left after each stage, in order. `tasks` are those of the trajectories and, as far as there
    are, their ancestors; `records` what all rounds say of these. `diversity` are rounds' measures in their
    order. `screenshots` is the folder that a ScreenshotStore keeps. `about` is told as it is, name and value.
    """

    title: str
    count: int
    trajectories: Iterable[pl.DataFrame]
    tasks: Iterable[TaskSpec] = ()
    fates: pl.DataFrame | None = None
    funnel: Mapping[str, int] = field(default_factory=dict)
    diversity: Mapping[str, Measures] = field(default_factory=dict)
    records: Iterable[TaskRecord] = ()
    screenshots: Path | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[Table] = ()
