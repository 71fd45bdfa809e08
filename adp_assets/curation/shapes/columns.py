"""What examples say beside their conversations, a shape at a time, and how rows are read for it.

Every example counts its characters, those of its conversation as JSON, and its tokens. Tokens are the share
of what the provider counted for the whole row that falls to the example's characters, null where it counted
none: no tokenizer is asked, since which one will train on it is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import polars as pl

from adp_assets.curation.examples import Columns
from adp_assets.curation.rows import ABOUT
from runtimes.contracts import Message

OF_TASK = (
    *("task_id", "root_id", "task_type", "operator", "generation", "source", "licence", "domain"),
    *("verifier", "language"),
)

REPLIES: dict[str, pl.DataType] = {
    "id": pl.String(),
    "row_id": pl.String(),
    "reply": pl.Int64(),
    **{name: ABOUT[name] for name in (*OF_TASK, "round", "sample", "reward", "teacher", "model")},
    "characters": pl.Int64(),
    "tokens": pl.Int64(),
}
"""`reply` counts from 1 within the row, `row_id` names the row."""

_SIDE: dict[str, pl.DataType] = {
    "id": pl.String(),
    "reward": pl.Float64(),
    "teacher": pl.String(),
    "model": pl.String(),
    "steps": pl.Int64(),
    "characters": pl.Int64(),
    "tokens": pl.Int64(),
}
PAIRS: dict[str, pl.DataType] = {
    "id": pl.String(),
    **{name: ABOUT[name] for name in OF_TASK},
    **{f"{side}_{name}": kind for side in ("chosen", "rejected") for name, kind in _SIDE.items()},
    "prompt_characters": pl.Int64(),
}
"""The characters and tokens of a side are those of its messages after the prompt."""

PROBLEMS: dict[str, pl.DataType] = {
    "id": pl.String(),
    **{name: ABOUT[name] for name in OF_TASK},
    "attempts": pl.Int64(),
    "pass_rate": pl.Float64(),
    "mean_reward": pl.Float64(),
    "characters": pl.Int64(),
    "tokens": pl.Int64(),
}
"""`attempts` are the task's verified episodes, `pass_rate` the share of them that solved it."""


def each_row(batches: Iterable[pl.DataFrame]) -> Iterator[dict[str, Any]]:
    """The rows of all batches, one at a time."""
    for batch in batches:
        yield from batch.iter_rows(named=True)


def about(row: dict[str, Any], names: Iterable[str]) -> Columns:
    return {name: row.get(name) for name in names}


def conversation(row: dict[str, Any]) -> list[Message]:
    messages: list[Message] = msgspec.json.decode(row["messages"])
    return messages


def schemas(row: dict[str, Any]) -> list[dict[str, Any]]:
    tools: list[dict[str, Any]] = msgspec.json.decode(row["tools"])
    return tools


def side_columns(row: dict[str, Any], side: str, messages: list[Message]) -> Columns:
    """What a pair says of one of its sides."""
    return {f"{side}_{name}": value for name, value in {**about(row, _SIDE), **sizes(row, messages)}.items()}


def sizes(row: dict[str, Any], messages: list[Message]) -> Columns:
    """How long a part of the row's conversation is, in characters and, scaled, in tokens."""
    characters = length(messages)
    whole, tokens = row.get("characters"), row.get("tokens")
    scaled = round(tokens * characters / whole) if tokens and whole else None
    return {"characters": characters, "tokens": scaled}


def length(messages: list[Message]) -> int:
    return len(msgspec.json.encode(messages).decode())
