"""OpenAI's files, checked against the types of its own package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import (
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageFunctionToolCallParam,
    ChatCompletionMessageParam,
)
from pydantic import ConfigDict, TypeAdapter, ValidationError

from adp_assets.curation.examples import Demonstration, Preference
from adp_assets.curation.formats.openai_jsonl import OPENAI_JSONL, REASONING
from tests.adp_assets.curation.episodes import differing, many_sided
from tests.adp_assets.curation.formats.written import (
    has_null,
    lines,
    loaded,
    preferred,
    replies,
    sides,
    whole,
    written,
)
from tests.adp_assets.tasks import solved

STRICT = ConfigDict(extra="forbid", strict=True)
MESSAGES: TypeAdapter[Any] = TypeAdapter(list[ChatCompletionMessageParam], config=STRICT)
CALLS: TypeAdapter[Any] = TypeAdapter(list[ChatCompletionMessageFunctionToolCallParam], config=STRICT)
TOOLS: TypeAdapter[Any] = TypeAdapter(list[ChatCompletionFunctionToolParam], config=STRICT)


def check(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> None:
    """Raise unless the package's types have these messages and tools, key for key."""
    # Fine-tuning alone has weights.
    MESSAGES.validate_python([{key: each[key] for key in each if key != "weight"} for each in messages])
    calls = [call for message in messages for call in message.get("tool_calls", ())]
    CALLS.validate_python(calls)
    TOOLS.validate_python(tools)
    assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)
    assert not has_null(messages)


def test_the_packages_types_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError):
        check([{"role": "assistant", "content": "x", "reasoning_content": "y"}], [])
    with pytest.raises(ValidationError):
        check([{"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {}}]}], [])


def test_conversations_are_what_the_package_would_send(tmp_path: Path) -> None:
    episodes = [*differing(), many_sided()]
    report = written(OPENAI_JSONL, "sft", whole(*episodes), tmp_path)
    found = lines(tmp_path / "train.jsonl")
    for line in found:
        assert line.keys() == {"messages", "tools", "parallel_tool_calls"}
        check(line["messages"], line["tools"])
    assert [line["parallel_tool_calls"] for line in found] == [False] * 6 + [True]
    assert report.changed == {REASONING: 1}
    assert "Two at once" not in json.dumps(found)
    assert "content" not in found[0]["messages"][2], "a reply that only calls says nothing"


def test_what_is_known_of_each_example_stands_beside_it(tmp_path: Path) -> None:
    episodes = differing()
    written(OPENAI_JSONL, "sft", whole(*episodes), tmp_path)
    told = lines(tmp_path / "about" / "train.jsonl")
    assert [line["task_id"] for line in told] == [episode.task_id for episode in episodes]
    assert all(line["characters"] > 0 and line["tokens"] > 0 for line in told)


def test_of_a_single_replys_example_the_replies_before_have_no_weight(tmp_path: Path) -> None:
    written(OPENAI_JSONL, "steps", replies(many_sided()), tmp_path)
    last = lines(tmp_path / "train.jsonl")[-1]
    check(last["messages"], last["tools"])
    weights = [message.get("weight") for message in last["messages"] if message["role"] == "assistant"]
    assert weights == [0, 0, None]


def test_a_pair_has_an_input_and_two_outputs(tmp_path: Path) -> None:
    examples = preferred()
    written(OPENAI_JSONL, "preference", examples, tmp_path)
    for line in lines(tmp_path / "train.jsonl"):
        assert line.keys() == {"input", "preferred_output", "non_preferred_output"}
        assert line["input"].keys() == {"messages", "tools", "parallel_tool_calls"}
        for messages in (line["input"]["messages"], line["preferred_output"], line["non_preferred_output"]):
            check(messages, line["input"]["tools"])
        assert line["preferred_output"] != line["non_preferred_output"]


def test_datasets_reads_files_whose_calls_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, episode in enumerate(differing()):
        written(OPENAI_JSONL, "sft", whole(episode), tmp_path / str(number))
    read = loaded("json", tmp_path.glob("*/*.jsonl"), tmp_path / "cache", monkeypatch)
    calls = [each["messages"][2]["tool_calls"][0]["function"]["arguments"] for each in read]
    assert [json.loads(arguments) for arguments in calls[:2]] == [
        {"code": "print(1)"},
        {"code": 1, "where": {"x": [1, 2]}},
    ]


def cut(example: Demonstration, upto: int) -> Demonstration:
    return Demonstration(
        id="x", split="train", messages=example.messages[:upto], tools=example.tools, about=example.about
    )


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        (cut(sides()[0], 5), "it does not end with a reply of the model"),
        (cut(sides()[0], 4), "a call is not answered"),
        (whole(solved(tools=[]))[0], "it calls tools, and no tools are known"),
    ],
)
def test_what_the_service_would_refuse_is_left_out_and_counted(
    example: Demonstration, reason: str, tmp_path: Path
) -> None:
    report = written(OPENAI_JSONL, "sft", [example], tmp_path)
    assert report.left_out == {reason: 1}
    assert report.rows == {}
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_a_pair_with_a_users_message_on_a_side_is_left_out(tmp_path: Path) -> None:
    pair = preferred()[0]
    spoken = [*pair.chosen[:2], {"role": "user", "content": "Go on."}, *pair.chosen[2:]]
    odd = Preference(
        id="x",
        split="train",
        prompt=pair.prompt,
        chosen=spoken,
        rejected=pair.rejected,
        tools=pair.tools,
        about={},
    )
    report = written(OPENAI_JSONL, "preference", [odd], tmp_path)
    assert report.left_out == {"a side of the pair has a user's message": 1}
