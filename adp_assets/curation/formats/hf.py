"""The format `hf`, the default: Parquet that datasets and TRL read as it is.

Conversations are columns of JSON texts typed `arrow.json`, which datasets >= 4.7 decodes: call arguments are
objects, as chat templates want them, and no key is there without a value. The columns, shape by shape:
`messages`; `prompt` and `completion`, the reply to train on; `prompt`, `chosen` and `rejected`; `prompt` and
`task`, whose verifier decides. `tools` is in all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from adp_assets.curation.examples import Demonstration, Example, Preference, Problem, Shape
from adp_assets.curation.formats.base import Format, Stamp, Written
from adp_assets.curation.formats.lines import json_text
from adp_assets.curation.formats.shards import ParquetShards
from adp_assets.curation.rows import TOLD
from adp_assets.curation.shapes.columns import PAIRS, PROBLEMS, REPLIES

COLUMNS: dict[Shape, tuple[dict[str, pl.DataType], tuple[str, ...]]] = {
    "sft": (TOLD, ("messages", "tools")),
    "steps": (REPLIES, ("prompt", "completion", "tools")),
    "preference": (PAIRS, ("prompt", "chosen", "rejected", "tools")),
    "rl": (PROBLEMS, ("prompt", "tools", "task")),
}
"""What each shape's rows say of themselves, and their columns of JSON."""


class HuggingFace(Format):
    """Parquet with columns of JSON."""

    shapes: ClassVar[frozenset[Shape]] = frozenset(COLUMNS)

    def sink(self, shape: Shape, folder: Path, stamp: Stamp) -> ParquetShards:
        told, json = COLUMNS[shape]
        return ParquetShards(folder, {**told, **dict.fromkeys(json, pl.String())}, stamp, json=json)

    def record(self, example: Example, written: Written) -> dict[str, Any]:
        return {**example.about, **{name: json_text(value) for name, value in parts(example).items()}}

    def write_rows(self, rows: Iterable[pl.DataFrame], folder: Path, stamp: Stamp) -> Written:
        """As `write` of the rows' demonstrations, without a conversation being decoded."""
        written = Written()
        with self.sink("sft", folder, stamp) as shards:
            for batch in rows:
                for (split,), part in batch.group_by("split", maintain_order=True):
                    shards.add_frame(str(split), part)
                    written.rows[str(split)] += part.height
        return written


def parts(example: Example) -> dict[str, Any]:
    """The conversation of an example, by the name of the column each part of it goes into."""
    if isinstance(example, Preference):
        sides = {"chosen": example.chosen, "rejected": example.rejected}
        return {"prompt": example.prompt, **sides, "tools": example.tools}
    if isinstance(example, Problem):
        return {"prompt": example.prompt, "tools": example.tools, "task": example.task}
    if isinstance(example, Demonstration):
        return demonstrated(example)
    raise TypeError(f"no conversation in {type(example).__name__}")


def demonstrated(example: Demonstration) -> dict[str, Any]:
    """A whole conversation, or the reply that is to be imitated and what stands before it."""
    if "reply" not in example.about:
        return {"messages": example.messages, "tools": example.tools}
    *before, reply = example.messages
    return {"prompt": before, "completion": [reply], "tools": example.tools}


HF = HuggingFace()
