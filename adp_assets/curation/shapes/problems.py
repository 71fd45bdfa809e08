"""Problems for reinforcement learning: a task's prompt and tools, and the verifier that decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from adp_assets.curation.examples import Columns, Problem
from adp_assets.curation.render import prompt_of
from adp_assets.curation.shapes.columns import (
    OF_TASK,
    about,
    conversation,
    each_row,
    schemas,
    sizes,
)
from runtimes.contracts import task_from_json


def problems(rows: Iterable[pl.DataFrame], tried: pl.DataFrame) -> Iterator[Problem]:
    """One problem a task that has a verifier, with the prompt and tools of its first row.

    `tried` is a light frame of all episodes, kept or not (`task_id`, `outcome`, `reward`). From
    it come `attempts`, `pass_rate` and `mean_reward`, by which a trainer picks what is neither trivial nor
    hopeless; a task without a verified episode has 0 attempts and nulls.
    """
    rates = {row.pop("task_id"): row for row in difficulty(tried).iter_rows(named=True)}
    seen: set[str] = set()
    for row in each_row(rows):
        if row["task_id"] in seen:
            continue
        seen.add(row["task_id"])
        if problem := _problem(row, rates.get(row["task_id"], _UNTRIED)):
            yield problem


def difficulty(tried: pl.DataFrame) -> pl.DataFrame:
    """A row a task: `attempts`, `pass_rate` and `mean_reward` over its verified episodes."""
    return (
        tried.filter(pl.col("outcome").is_in(["solved", "unsolved"]))
        .group_by("task_id", maintain_order=True)
        .agg(
            attempts=pl.len().cast(pl.Int64()),
            pass_rate=(pl.col("outcome") == "solved").mean(),
            mean_reward=pl.col("reward").mean(),
        )
    )


def _problem(row: dict[str, Any], rates: Columns) -> Problem | None:
    task = task_from_json(row["task"])
    if task.verifier is None:
        return None
    prompt = list(prompt_of(conversation(row)))
    told = {**about(row, OF_TASK), "verifier": task.verifier.kind, **rates, **sizes(row, prompt)}
    return Problem(
        id=task.task_id,
        split=row["split"],
        prompt=prompt,
        tools=schemas(row),
        task=task,
        about={"id": task.task_id, **told},
    )


_UNTRIED: Columns = {"attempts": 0, "pass_rate": None, "mean_reward": None}
