"""The format `struct`: Parquet with conversations as nested columns, for readers that know no JSON columns.

verl's multi-turn SFT is one. A column of structs has the same keys in every row, those without a value null,
so what differs in shape from row to row is JSON text: a call's `arguments` and a tool's `parameters`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from adp_assets.curation.examples import Example, Shape
from adp_assets.curation.formats.base import NO_TEXT, Format, Stamp, Unholdable, Written
from adp_assets.curation.formats.hf import COLUMNS, parts
from adp_assets.curation.formats.lines import json_text
from adp_assets.curation.formats.shards import ParquetShards
from runtimes.contracts import Message

CALL = pl.Struct(
    {
        "id": pl.String,
        "type": pl.String,
        "function": pl.Struct({"name": pl.String, "arguments": pl.String}),
    }
)
MESSAGE = pl.Struct(
    {
        "role": pl.String,
        "content": pl.String,
        "reasoning_content": pl.String,
        "tool_calls": pl.List(CALL),
        "tool_call_id": pl.String,
        "name": pl.String,
    }
)
TOOL = pl.Struct(
    {
        "type": pl.String,
        "function": pl.Struct({"name": pl.String, "description": pl.String, "parameters": pl.String}),
    }
)


class Nested(Format):
    """Parquet with nested columns."""

    shapes: ClassVar[frozenset[Shape]] = frozenset({"sft", "steps", "preference"})

    def sink(self, shape: Shape, folder: Path, stamp: Stamp) -> ParquetShards:
        told, columns = COLUMNS[shape]
        kinds = {name: pl.List(TOOL if name == "tools" else MESSAGE) for name in columns}
        return ParquetShards(folder, {**told, **kinds}, stamp)

    def record(self, example: Example, written: Written) -> dict[str, Any]:
        nested = {
            name: [(_tool if name == "tools" else _message)(each) for each in value]
            for name, value in parts(example).items()
        }
        return {**example.about, **nested}


def _message(message: Message) -> dict[str, Any]:
    if not isinstance(message["content"], str):
        raise Unholdable(NO_TEXT)
    calls = [
        {**call, "function": {**call["function"], "arguments": json_text(call["function"]["arguments"])}}
        for call in message.get("tool_calls", ())
    ]
    return {**message, "tool_calls": calls or None}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    if not isinstance(function, dict) or function.keys() - {"name", "description", "parameters"}:
        raise Unholdable("a tool that is more than name, description and parameters")
    parameters = {"parameters": json_text(function["parameters"])} if "parameters" in function else {}
    return {"type": tool.get("type", "function"), "function": {**function, **parameters}}


STRUCT = Nested()
