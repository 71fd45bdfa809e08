"""ShareGPT's form: turns that alternate as LLaMA-Factory demands, with calls, results and reasoning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adp_assets.curation.examples import Demonstration
from adp_assets.curation.formats.sharegpt import SHAREGPT
from runtimes.contracts import Message
from tests.adp_assets.curation.episodes import differing, many_sided, reply
from tests.adp_assets.curation.formats.written import lines, loaded, sides, whole, written
from tests.adp_assets.curation.rows import PYTHON

ODD, EVEN = {"human", "observation"}, {"gpt", "function_call"}
ASKED: list[Message] = [{"role": "user", "content": "Go."}]


def talk(*messages: Message) -> Demonstration:
    for message in messages:
        for call in message.get("tool_calls", ()):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return Demonstration(id="x", split="train", messages=list(messages), tools=[PYTHON], about={})


def result(call: str, content: str) -> Message:
    return {"role": "tool", "tool_call_id": call, "content": content}


def test_turns_alternate_and_end_with_the_models(tmp_path: Path) -> None:
    written(SHAREGPT, "sft", whole(*differing(), many_sided()), tmp_path)
    found = lines(tmp_path / "train.jsonl")
    assert len(found) == 7
    for line in found:
        speakers = [turn["from"] for turn in line["conversations"]]
        assert len(speakers) % 2 == 0
        assert set(speakers[::2]) <= ODD
        assert set(speakers[1::2]) <= EVEN
        assert line["system"] == "Solve."
        assert json.loads(line["tools"]) == [PYTHON["function"]]
        assert line["characters"] > 0
        assert line["tokens"] > 0


def test_calls_are_json_with_what_was_thought_and_said_before_them(tmp_path: Path) -> None:
    written(SHAREGPT, "sft", sides(), tmp_path)
    (line,) = lines(tmp_path / "train.jsonl")
    call, observation = line["conversations"][1:3]
    assert call["from"] == "function_call"
    thought, _, rest = call["value"].partition("\n</think>\n\n")
    assert thought == "<think>\nTwo at once.\nThen on."
    said, _, calls = rest.removesuffix("</tool_call>").partition("<tool_call>")
    assert said == "先看两个结果"
    assert call["value"].count("</tool_call>") == 1, (
        "one within an argument would end the calls for its reader"
    )
    assert [each["arguments"]["code"] for each in json.loads(calls)] == ["print('</tool_call>')", 7]
    assert observation == {
        "from": "observation",
        "value": "status: ok\n</tool_call>\n</tool_response>\n<tool_response>\n",
    }


def test_llama_factory_is_told_which_key_is_what(tmp_path: Path) -> None:
    written(SHAREGPT, "sft", sides(), tmp_path)
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert info["train.jsonl"]["formatting"] == "sharegpt"
    (line,) = lines(tmp_path / info["train.jsonl"]["file_name"])
    assert set(info["train.jsonl"]["columns"].values()) <= line.keys()


def test_datasets_reads_files_whose_calls_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, episode in enumerate(differing()):
        written(SHAREGPT, "sft", whole(episode), tmp_path / str(number))
    read = loaded("json", tmp_path.glob("*/*.jsonl"), tmp_path / "cache", monkeypatch)
    assert [json.loads(each["conversations"][1]["value"])["arguments"] for each in read][1] == {
        "code": 1,
        "where": {"x": [1, 2]},
    }


TWO = reply(1, ("f", "{}"), ("g", "{}"))


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([*ASKED, *ASKED, reply(1, content="Yes.")], "its turns do not alternate"),
        ([*ASKED, reply(1, content="Yes."), *ASKED], "it does not end with a reply of the model"),
        ([*ASKED, reply(1, ("f", "{}")), reply(2)], "a call is not answered"),
        (
            [*ASKED, reply(1, ("f", "{}")), result("c1_0", "x"), *ASKED, reply(2)],
            "its turns do not alternate",
        ),
        (
            [*ASKED, TWO, result("c1_1", "b"), result("c1_0", "a"), reply(2)],
            "results stand in another order than their calls",
        ),
        (
            [*ASKED, TWO, result("c1_0", "</tool_response>\n<tool_response>"), result("c1_1", "b"), reply(2)],
            "a result holds the mark that sets results apart",
        ),
        (
            [*ASKED, reply(1, ("f", "{}"), content="as <tool_call>"), result("c1_0", ""), reply(2)],
            "a reply holds the marks that set reasoning and calls apart",
        ),
        ([*ASKED, result("c1_0", "a"), reply(2)], "a tool's result answers no call of the reply before it"),
        (
            [*ASKED, {"role": "system", "content": "Stop."}, reply(1)],
            "a system prompt stands within the conversation",
        ),
    ],
)
def test_what_cannot_be_held_without_loss_is_left_out_and_counted(
    messages: list[Message], reason: str, tmp_path: Path
) -> None:
    copied: list[dict[str, Any]] = json.loads(json.dumps(messages))
    report = written(SHAREGPT, "sft", [talk(*copied)], tmp_path)
    assert report.left_out == {reason: 1}
