"""How replies go back to the model: as they came, but for what providers refuse a whole conversation for."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from runtimes.calls import MAX_ARGUMENT_CHARACTERS, UNREADABLE, completed, echo_of, parse_arguments
from runtimes.contracts import Message
from runtimes.errors import ToolError
from runtimes.tools.base import Tool, Workbench
from tests.runtimes.scripted import call, episode, finishes, says


def ids(message: Message) -> list[str]:
    return [call["id"] for call in message["tool_calls"]]


def arguments(raw: Any) -> str:
    """What goes back for a call's arguments."""
    message = says(None, {"id": "a", "type": "function", "function": {"name": "f", "arguments": raw}})
    text = (echo_of(message) or message)["tool_calls"][0]["function"]["arguments"]
    assert isinstance(json.loads(text), dict)
    return str(text)


def test_a_whole_reply_goes_back_as_it_came() -> None:
    signed = {**call("f", '{"x":  1}'), "extra_content": {"google": {"thought_signature": "AbC="}}}
    message = says("text", signed, call("g", "{}", "c2"), reasoning_content="why")
    assert completed(message, 0) == message
    assert echo_of(message) is None


@pytest.mark.parametrize("given", [["", ""], [None, None], ["a", "a"], [7, 7], ["call_3_1", ""]])
def test_calls_without_an_id_of_their_own_get_one(given: list[Any]) -> None:
    message = says(None, *({**call("f"), "id": one} for one in given))
    before = copy.deepcopy(message)
    found = ids(completed(message, 3))
    assert len(set(found)) == 2
    assert all(found)
    assert completed(message, 3) == completed(message, 3)
    assert message == before


def test_what_servers_leave_out_is_there_again() -> None:
    assert completed({"tool_calls": [call("f")]}, 0) == says(None, call("f"))
    assert completed({"role": "assistant"}, 0) == says("")
    assert completed(says("", tool_calls=[]), 0) == says("")


@pytest.mark.parametrize("raw", ["{", "[1]", "7", '{"a": "\\ud83d"}', "[" * 50_000, [1], 7])
def test_arguments_nobody_can_read_go_back_in_an_object(raw: Any) -> None:
    assert arguments(raw).startswith(json.dumps({UNREADABLE: ""})[:-2])


def test_arguments_too_long_go_back_as_their_two_ends() -> None:
    assert len(arguments(json.dumps({"code": "x" * MAX_ARGUMENT_CHARACTERS}))) < 1000


def test_arguments_that_only_are_no_string_go_back_as_one() -> None:
    assert json.loads(arguments({"code": "数"})) == {"code": "数"}
    assert arguments("") == arguments(None) == "{}"
    assert arguments('{"n":  1e5}') == '{"n":  1e5}'


@pytest.mark.parametrize(
    ("name", "sent"), [("a tool!", "a_tool_"), ("", "unknown"), (None, "unknown"), ("x" * 99, "x" * 64)]
)
def test_a_name_no_tool_can_have_goes_back_as_one_it_could(name: Any, sent: str) -> None:
    echo = echo_of(says(None, {"id": "a", "function": {"name": name, "arguments": "{}"}}))
    assert echo is not None
    assert echo["tool_calls"] == [
        {"type": "function", "id": "a", "function": {"name": sent, "arguments": "{}"}}
    ]


@pytest.mark.parametrize("raw", ["[" * 600 + "]" * 600, "[" * 100_000])
def test_arguments_nested_without_sense_are_the_agents_to_mend(raw: str) -> None:
    anything = Tool("note", "Takes a note.", {"type": "object"}, "tool_call", takes_notes)
    with pytest.raises(ToolError, match=r"arguments of note .*(nested too deeply|not JSON)"):
        parse_arguments(anything, f'{{"note": {raw}}}')


async def takes_notes(bench: Workbench, /, **arguments: Any) -> str:
    return "taken"


async def test_the_record_keeps_what_the_model_said_beside_what_went_back() -> None:
    bad = says(None, call("python_executor", '{"code": '), call("magic", {}))
    trajectory, model = await episode(bad, finishes())
    first = trajectory.steps[0]
    assert first.message is not None
    assert first.echo is not None
    assert first.message["tool_calls"][0]["function"]["arguments"] == '{"code": '
    assert first.echo == model.requests[1][-3]
    assert [step.echo for step in trajectory.steps[1:]] == [None, None]
    assert ids(first.echo) == [message["tool_call_id"] for message in model.requests[1][-2:]]
