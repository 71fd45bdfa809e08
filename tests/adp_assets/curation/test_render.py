"""Conversations as trainers read them, and what makes two of them the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adp_assets.curation.render import content_hash, prompt_key, training_messages
from adp_assets.curation.rows import ROW_COLUMNS, rows_of
from runtimes.contracts import ExecutionStep
from tests.adp_assets.curation.stored import kept
from tests.adp_assets.tasks import solved, step, task


@pytest.mark.parametrize(
    "arguments", ["{not json", "[1]", '"text"', "7", '{"code": "\\ud83d"}', "[" * 100_000]
)
def test_an_episode_with_a_call_no_template_can_render_stays_out(tmp_path: Path, arguments: str) -> None:
    bad = solved("bad", steps=[step(1, "f", arguments, "error"), *solved().steps])
    assert kept(tmp_path, bad, solved("good")) == ["good"]
    (reason,) = rows_of([bad], {"bad": task("bad")})["unrenderable"]
    assert reason


@pytest.mark.parametrize("function", [None, {}, {"name": None, "arguments": "{}"}])
def test_an_episode_with_a_call_of_no_tool_stays_out_and_stops_nothing(tmp_path: Path, function: Any) -> None:
    nameless = step(1, "f", "{}", "error", tool_calls=[{"id": "c", "function": function}])
    bad = solved("bad", steps=[nameless, *solved().steps])
    assert kept(tmp_path, bad, solved("good")) == ["good"]


def test_messages_are_what_the_model_saw_and_gave_with_arguments_as_objects() -> None:
    first = step(
        1, "python_executor", '{"code": "print(42)"}', "42", content="I run it.", reasoning_content="Hm."
    )
    second = step(2, "complete_task", "", None)
    assert training_messages(solved(steps=[first, second])) == [
        {"role": "system", "content": "Solve."},
        {"role": "user", "content": "Do t."},
        {
            "role": "assistant",
            "content": "I run it.",
            "reasoning_content": "Hm.",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "python_executor", "arguments": {"code": "print(42)"}},
                }
            ],
        },
        {"role": "tool", "content": "42", "tool_call_id": "c1"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "c2", "type": "function", "function": {"name": "complete_task", "arguments": {}}}
            ],
        },
    ]


def keys_without_value(value: Any) -> bool:
    if isinstance(value, dict):
        return any(v is None or keys_without_value(v) for v in value.values())
    return isinstance(value, list) and any(map(keys_without_value, value))


def test_no_message_has_a_key_without_a_value() -> None:
    text = ExecutionStep(
        step_id=1,
        action_type="tool_call",
        success=True,
        message={"role": "assistant", "content": "42", "audio": None},
    )
    for trajectory in (solved(), solved(steps=[text])):
        assert not keys_without_value(training_messages(trajectory))


def test_episodes_that_say_and_do_the_same_are_duplicates_whatever_their_calls_ids(tmp_path: Path) -> None:
    one = solved("t", sample=0)
    renamed = json.loads(json.dumps(training_messages(one)).replace('"c1"', '"x1"').replace('"c2"', '"x2"'))
    other = training_messages(solved("t", "43"))
    assert content_hash(training_messages(one)) == content_hash(renamed) != content_hash(other)
    samples = (one, solved("t", sample=1), solved("t", "43", sample=2))
    assert kept(tmp_path, *samples, near_duplicates=None) == ["t", "t"]


def test_the_key_of_a_prompt_is_of_what_came_before_the_first_reply_and_of_the_tools() -> None:
    messages = training_messages(solved("t", "42"))
    key = prompt_key(messages, solved().tools)
    assert key == prompt_key(training_messages(solved("t", "43")), solved().tools)
    assert key != prompt_key(training_messages(solved("u")), solved().tools)
    assert key != prompt_key(messages, [])


@pytest.mark.parametrize("text", ["\udc80 lone", "\0", "x" * 10_000_000, ""])
def test_odd_and_huge_texts_make_rows(text: str) -> None:
    odd = solved("odd", steps=[step(1, "python_executor", "{}", text), *solved().steps])
    rows = rows_of([odd, solved("t")], {"odd": task("odd"), "t": task("t")})
    assert rows.columns == list(ROW_COLUMNS)
    assert rows.height == 2
    assert rows["unrenderable"][1] == ""
