"""Asking for JSON of a shape: what is taken for an answer, the one repair, and every bad answer's end."""

from __future__ import annotations

import json
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta, Struct

from runtimes.llm.structured import NotAnswered, ask, object_in
from tests.llm_server.replies import assistant, completion
from tests.runtimes.llm.serving import Replying, gives, serving


class Idea(Struct, frozen=True):
    description: Annotated[str, Meta(min_length=1)]
    change: str = ""


IDEA = json.dumps({"description": "Multiply {two} numbers.", "change": "another operation"})


def says(text: str, finish_reason: str = "stop") -> Replying:
    message = assistant(text)
    return gives(completion(message, prompt_tokens=1, completion_tokens=1, finish_reason=finish_reason))


@pytest.mark.parametrize(
    "text",
    [
        IDEA,
        f"```json\n{IDEA}\n```",
        f"Here it is: {IDEA} I hope it helps.",
        f"\n\n{IDEA}\n",
        f'<think>Perhaps {{"description": ""}}?</think>{IDEA}',
    ],
)
async def test_an_object_in_a_fence_in_words_or_after_thoughts_is_an_answer(text: str) -> None:
    async with serving(says(text)) as (served, model):
        idea = await ask(model, Idea, "Invent.", {"x": 1})
    assert idea.description == "Multiply {two} numbers."
    assert len(served.requests) == 1


@pytest.mark.parametrize("words", [None, "", "I would rather not."])
async def test_what_goes_back_with_the_repair_has_content_or_does_not_go(words: str | None) -> None:
    """Servers refuse a message of the assistant's without content."""
    first = gives(completion({**assistant(""), "content": words}, prompt_tokens=1, completion_tokens=1))
    async with serving(first, says(IDEA)) as (served, model):
        assert (await ask(model, Idea, "Invent.", {})).change == "another operation"
    *_, repaired = served.requests
    assert all(message["content"] for message in repaired["messages"])
    assert [m["role"] for m in repaired["messages"][2:]] == ["assistant"] * bool(words) + ["user"]


@pytest.mark.parametrize(
    ("provider", "form"), [("openai", "json_schema"), ("deepseek", "json_object"), ("gemini", "json_schema")]
)
async def test_each_provider_is_asked_in_its_best_form_with_the_schema_in_words_too(
    provider: str, form: str
) -> None:
    async with serving(says(IDEA), provider=provider) as (served, model):
        await ask(model, Idea, "Invent.", {"x": "数"})
    (request,) = served.requests
    assert request["response_format"]["type"] == form
    system, user = request["messages"]
    assert '"description"' in system["content"]
    assert "JSON" in system["content"], "without the word some refuse json_object"
    assert json.loads(user["content"]) == {"x": "数"}


async def test_a_bad_answer_is_sent_back_once_with_what_is_wrong() -> None:
    async with serving(says('{"description": ""}'), says(IDEA)) as (served, model):
        assert (await ask(model, Idea, "Invent.", {})).change == "another operation"
    first, second = (request["messages"] for request in served.requests)
    assert second[:2] == first
    assert second[2] == {"role": "assistant", "content": '{"description": ""}'}
    assert "length >= 1" in second[3]["content"]


async def test_an_answer_that_was_cut_off_is_asked_for_in_fewer_words() -> None:
    async with serving(says(IDEA[:-30], "length"), says(IDEA)) as (served, model):
        await ask(model, Idea, "Invent.", {})
    assert "cut off" in served.requests[1]["messages"][3]["content"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No.",
        "{",
        "[]",
        '{"change": "x"}',
        '{"description": 7}',
        "}{",
        "null",
        "x" * 1_000_000,
        "{" * 1_000_000 + "}",
        '{"description":' * 100_000 + "}",
    ],
    ids=lambda text: text[:20] or "nothing",
)
async def test_two_bad_answers_are_none_and_the_reason_quotes_the_reply(text: str) -> None:
    async with serving(says(text)) as (served, model):
        with pytest.raises(NotAnswered) as failed:
            await ask(model, Idea, "Invent.", {})
    assert repr(text[:200]) in str(failed.value)
    assert len(str(failed.value)) < 500
    assert len(served.requests) == 2


def test_the_outermost_object_is_taken() -> None:
    assert msgspec.json.decode(object_in('so {"a": {"b": 1}} it is')) == {"a": {"b": 1}}
    assert object_in("none") == "none"
