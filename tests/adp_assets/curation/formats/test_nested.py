"""Conversations as nested columns, for readers that know no columns of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from adp_assets.curation.formats.nested import MESSAGE, STRUCT
from adp_assets.curation.render import training_messages
from tests.adp_assets.curation.episodes import differing, many_sided
from tests.adp_assets.curation.formats.written import loaded, preferred, replies, whole, written
from tests.adp_assets.curation.rows import PYTHON
from tests.adp_assets.tasks import solved


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """A message of a column of structs as it was: arguments read, keys without a value gone."""
    kept = {key: value for key, value in message.items() if value is not None}
    for call in kept.get("tool_calls", ()):
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return kept


def test_shards_whose_calls_differ_in_shape_load_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    episodes = [*differing(), many_sided()]
    for number, episode in enumerate(episodes):
        written(STRUCT, "sft", whole(episode), tmp_path / str(number))
    read = loaded("parquet", tmp_path.rglob("split=train/*.parquet"), tmp_path / "cache", monkeypatch)
    found = [[plain(message) for message in each["messages"]] for each in read]
    assert found == [training_messages(episode) for episode in episodes]
    tool = read[0]["tools"][0]["function"]
    assert json.loads(tool["parameters"]) == PYTHON["function"]["parameters"]


@pytest.mark.parametrize(
    ("shape", "columns"), [("steps", ["prompt", "completion"]), ("preference", ["chosen"])]
)
def test_every_shape_has_messages_of_one_type_and_no_column_of_json(
    shape: str, columns: list[str], tmp_path: Path
) -> None:
    examples = preferred() if shape == "preference" else replies(*differing())
    written(STRUCT, shape, examples, tmp_path)
    schema = pl.read_parquet_schema(tmp_path / "split=train" / "part-00000.parquet")
    assert all(schema[column] == pl.List(MESSAGE) for column in columns)
    assert not any(isinstance(kind, pl.Extension) for kind in schema.values())


def test_a_tool_that_says_more_than_nested_columns_hold_is_left_out(tmp_path: Path) -> None:
    strict = {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}
    report = written(STRUCT, "sft", whole(solved("a", tools=[strict]), solved("b")), tmp_path)
    assert report.rows == {"train": 1}
    assert report.left_out == {"a tool that is more than name, description and parameters": 1}
