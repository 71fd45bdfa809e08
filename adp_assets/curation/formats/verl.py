"""The format `verl`: Parquet for verl's reinforcement learning, a row a problem.

`reward_model.ground_truth` is the task's verifier, kind and spec, as JSON: a reward function of verl's
(`custom_reward_function`) is given it and decides by it. `extra_info` holds the tools and the whole task as
JSON, and how hard the task was found to be.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from adp_assets.curation.examples import Example, Problem, Shape
from adp_assets.curation.formats.base import NO_TEXT, Format, Stamp, Unholdable, Written
from adp_assets.curation.formats.lines import json_text
from adp_assets.curation.formats.shards import ParquetShards
from adp_assets.curation.shapes.columns import PROBLEMS

DATA_SOURCE = "agent-data-platform/{kind}"
"""By this name verl picks a reward function; `kind` is the verifier's."""

SCHEMA: dict[str, Any] = {
    "data_source": pl.String(),
    "prompt": pl.List(pl.Struct({"role": pl.String, "content": pl.String})),
    "ability": pl.String(),
    "reward_model": pl.Struct({"style": pl.String, "ground_truth": pl.String}),
    "extra_info": pl.Struct(
        {"split": pl.String, "index": pl.Int64, **PROBLEMS, "tools": pl.String, "task": pl.String}
    ),
}


class Verl(Format):
    """Parquet of problems."""

    shapes: ClassVar[frozenset[Shape]] = frozenset({"rl"})

    def sink(self, shape: Shape, folder: Path, stamp: Stamp) -> ParquetShards:
        return ParquetShards(folder, SCHEMA, stamp)

    def record(self, example: Example, written: Written) -> dict[str, Any]:
        if not isinstance(example, Problem) or example.task.verifier is None:
            raise TypeError(f"no problem: {type(example).__name__}")
        if any(message.keys() != {"role", "content"} for message in example.prompt):
            raise Unholdable("a prompt with more than roles and texts")
        if any(not isinstance(message["content"], str) for message in example.prompt):
            raise Unholdable(NO_TEXT)
        verifier = example.task.verifier
        return {
            "data_source": DATA_SOURCE.format(kind=verifier.kind),
            "prompt": example.prompt,
            "ability": example.about.get("domain") or example.task.task_type,
            "reward_model": {"style": "rule", "ground_truth": json_text(verifier)},
            "extra_info": {
                "split": example.split,
                "index": written.rows[example.split],
                **example.about,
                "tools": json_text(example.tools),
                "task": json_text(example.task),
            },
        }


VERL = Verl()
