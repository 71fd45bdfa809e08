"""Bad records: each is told with its file, its place and what is wrong, and the others are read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from adp_assets.curation.readers import READERS, read_trajectories
from adp_assets.curation.readers.records import Rejected
from runtimes.contracts import Trajectory
from runtimes.errors import ConfigurationError
from tests.adp_assets.curation.episodes import reply

ASKED = {"role": "user", "content": "Go."}
GOOD: dict[str, Any] = {"messages": [ASKED, {"role": "assistant", "content": "Gone."}]}


def both(path: Path, format: str = "openai-jsonl") -> tuple[list[Trajectory], list[Rejected]]:
    found = list(read_trajectories(path, format))
    return [each[1] for each in found if isinstance(each, tuple)], [
        each for each in found if isinstance(each, Rejected)
    ]


def written(path: Path, *lines: str | bytes | dict[str, Any]) -> Path:
    texts = [json.dumps(line) if isinstance(line, dict) else line for line in lines]
    path.write_bytes(b"\n".join(text.encode() if isinstance(text, str) else text for text in texts) + b"\n")
    return path


def chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"messages": list(messages), **fields}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"messages": [{"role": "user", "cont', "no JSON object"),
        ("[1, 2]", "no JSON object"),
        (b'{"messages": "\xff\xfe"}', "no JSON object"),
        ('{"messages": [{"role": "user", "content": "\\ud83d"}]}', "no JSON object"),
        ('{"messages": NaN}', "no JSON object"),
        ('{"a": ' + "[" * 5_000 + "]" * 5_000 + "}", "no JSON object"),
        ({"text": "hello"}, "it has no `messages`"),
        (chat(), "no reply of a model"),
        (chat(ASKED), "no reply of a model"),
        (chat(None), "no list of objects"),
        ({"messages": 7}, "no list of objects"),
        ({"messages": "{"}, "are no JSON"),
        (chat({"role": "user", "content": 7}, GOOD["messages"][1]), "more than text"),
        (chat({"role": None}), "a message of the role None"),
        (chat({"role": "user", "content": [{"type": "image_url"}]}, GOOD["messages"][1]), "more than text"),
        (chat(GOOD["messages"][1]), "nothing is asked"),
        (chat(*GOOD["messages"], {"role": "system", "content": "x"}), "a system prompt stands within"),
        (chat(ASKED, {"role": "assistant", "tool_calls": [{"id": None}]}), "a call without an id"),
        (
            chat(ASKED, {"role": "assistant", "tool_calls": [{"id": "1", "function": {"a": 1}}]}),
            "names no tool",
        ),
        (chat(ASKED, reply(1, ("f", "{}")), reply(2)), "a call is not answered"),
        (
            chat(ASKED, reply(1), {"role": "tool", "tool_call_id": "x", "content": ""}, reply(2)),
            "answers no call",
        ),
        (chat(*GOOD["messages"], {"role": "user", "content": ""}, reply(2)), "message of the user is empty"),
        ({"input": {}, "preferred_output": []}, "a preference pair is no episode"),
        (chat({"role": "user", "content": "a\0b"}, GOOD["messages"][1]), "NUL"),
    ],
)
def test_a_bad_record_is_told_with_its_place_and_reason_and_the_rest_is_read(
    line: Any, reason: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "chats.jsonl", GOOD, "", line, GOOD)
    found, rejected = both(file)
    assert [trajectory.sample for trajectory in found] == [0, 1]
    assert [(each.file, each.row) for each in rejected] == [(file, 3)]
    assert reason in rejected[0].reason
    assert len(rejected[0].content) <= 2_000


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"conversations": None}, "no reply of a model"),
        ({"conversations": [{"from": "human", "value": None}]}, "turn 1 has no text"),
        ({"conversations": [{"from": "bing", "value": "x"}]}, "turn 1 is from 'bing'"),
        ({"conversations": [{"from": "function_call", "value": "f(x)"}]}, "is no JSON"),
        ({"conversations": [{"from": "function_call", "value": "[1]"}]}, "names no tool"),
        ({"conversations": [{"from": "observation", "value": "x"}]}, "1 results for 0 calls"),
        ({"conversations": [{"from": "gpt", "value": "x"}], "tools": "{"}, "its tools are no JSON"),
    ],
)
def test_sharegpt_records_that_are_none_are_told(value: dict[str, Any], reason: str, tmp_path: Path) -> None:
    _, (rejected,) = both(written(tmp_path / "talk.jsonl", value), "sharegpt")
    assert reason in rejected.reason


def atif(*steps: Any, **fields: Any) -> dict[str, Any]:
    return {
        "schema_version": "ATIF-v1.4",
        "agent": {"name": "a", "version": "1"},
        "steps": list(steps),
        **fields,
    }


USER = {"step_id": 1, "source": "user", "message": "Go."}
AGENT = {"step_id": 2, "source": "agent", "message": "Gone."}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"schema_version": "ATIF-v2.0"}, "its schema_version is 'ATIF-v2.0'"),
        (atif(), "no reply of a model"),
        (atif(USER, {**AGENT, "source": "robot"}), "a step's source is 'robot'"),
        (atif(USER, {**AGENT, "llm_call_count": 0}), "taken by no model"),
        (atif(USER, {**AGENT, "timestamp": "noon"}), "timestamp is 'noon'"),
        (atif(USER, AGENT, agent=[]), "its agent is no object"),
        (atif(USER, {**AGENT, "observation": {"results": {}}}, extra="x"), "its extra is no object"),
        (atif(USER, {**AGENT, "tool_calls": [{"function_name": "f"}]}), "a call without an id"),
        (atif(USER, AGENT, extra={"task": {"task_type": 7}}), "not a task"),
    ],
)
def test_atif_documents_that_are_none_are_told(value: dict[str, Any], reason: str, tmp_path: Path) -> None:
    _, (rejected,) = both(written(tmp_path / "run.jsonl", value), "atif")
    assert reason in rejected.reason


def test_observations_of_ten_megabytes_and_arguments_of_any_type_are_read(tmp_path: Path) -> None:
    call = reply(1, ("f", "{}"))
    call["tool_calls"][0]["function"]["arguments"] = [1, {"a": None}]
    long = chat(ASKED, call, {"role": "tool", "tool_call_id": "c1_0", "content": "x" * (10 << 20)}, reply(2))
    ((trajectory,), rejected) = both(written(tmp_path / "long.jsonl", long))
    assert rejected == []
    assert len(trajectory.messages()[2]["content"]) == 10 << 20
    assert trajectory.messages()[1]["tool_calls"][0]["function"]["arguments"] == '[1,{"a":null}]'


def test_a_document_an_array_lines_and_a_folder_of_them_are_all_found(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "one.json").write_text(json.dumps(GOOD, indent=2))
    (tmp_path / "a" / "many.json").write_text(json.dumps([GOOD, 7, GOOD]))
    (tmp_path / "a" / "lines.jsonl.gz").write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    (tmp_path / "notes.txt").write_text("not one of them")
    found, rejected = both(tmp_path, "")
    assert len(found) == 4
    assert [(each.file.name, each.row) for each in rejected] == [("many.json", 2)]


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_a_file_with_nothing_in_it_is_said_to_be_empty(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_bytes(content)
    with pytest.raises(ConfigurationError, match="is empty"):
        both(tmp_path / "empty.jsonl")


def test_what_is_not_there_or_breaks_off_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no"):
        both(tmp_path / "nowhere.jsonl")
    with pytest.raises(ConfigurationError, match="has no files"):
        both(tmp_path)
    whole = gzip.compress(json.dumps(GOOD).encode() * 1000)
    (tmp_path / "half.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigurationError, match="cannot be read"):
        both(tmp_path / "half.jsonl.gz")
    (tmp_path / "half.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        both(tmp_path / "half.parquet")


def test_a_half_written_array_is_one_bad_record(tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text(json.dumps([GOOD, GOOD])[:-5])
    found, (rejected,) = both(tmp_path / "half.json")
    assert found == []
    assert "no JSON array" in rejected.reason


def test_files_of_a_folder_that_are_something_else_are_told_and_passed_by(tmp_path: Path) -> None:
    written(tmp_path / "config.json", {"job": "x"})
    written(tmp_path / "trajectory.json", atif(USER, AGENT))
    found, (rejected,) = both(tmp_path, "")
    assert len(found) == 1
    assert rejected.file.name == "config.json"
    assert "the keys of its first record are job" in rejected.reason


def test_a_document_that_breaks_off_is_one_bad_record(tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text(json.dumps(GOOD, indent=2)[:-9])
    _, (rejected,) = both(tmp_path / "half.json")
    assert "no JSON object" in rejected.reason


def test_a_format_that_keys_do_not_tell_is_asked_for(tmp_path: Path) -> None:
    file = written(tmp_path / "odd.jsonl", {"question": "x"})
    with pytest.raises(ConfigurationError, match=r"cannot be told.*question.*Name it: atif"):
        both(file, "")
    with pytest.raises(ConfigurationError, match="no reader 'alpaca'"):
        both(file, "alpaca")
    assert set(READERS) == {"atif", "sharegpt", "openai-jsonl", "tau-bench"}
