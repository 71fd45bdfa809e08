"""The LLM client against real servers: what it retries, what it gives up on, and what it leaves unchanged."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from runtimes.errors import InfrastructureError, ModelRefused, ModelUnavailable, ToolError
from runtimes.llm.base import Reply, Sampling
from runtimes.llm.faults import OutOfCredit
from runtimes.llm.retry import RetryPolicy
from tests.llm_server.process import ROOT, llm_server
from tests.llm_server.replies import completion
from tests.runtimes.llm.serving import (
    ASK,
    GOOD,
    Replying,
    breaks_off,
    chat,
    gives,
    hangs,
    refuses,
    serving,
)

ANSWERS = ROOT / "tests/data/word_problems.jsonl"
FIRST = json.loads(ANSWERS.read_text(encoding="utf-8").splitlines()[0])


async def ask(url: str, text: str = "Hello.", **options: Any) -> Reply:
    model = chat(url, **options)
    try:
        return await model.complete([{"role": "user", "content": text}])
    finally:
        await model.aclose()


async def test_the_request_holds_model_messages_tools_sampling_and_schema() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "", "parameters": {}}}
    shape = {"title": "Draft", "type": "object"}
    async with serving(gives(GOOD)) as (served, model):
        reply = await model.complete(
            ASK, tools=[tool], sampling=Sampling(temperature=0.5, seed=7), schema=shape
        )
    assert reply == Reply(
        message={"role": "assistant", "content": "Hi."},
        prompt_tokens=5,
        completion_tokens=2,
        provider="vllm",
        model="m-1",
        waited=reply.waited,
    )
    assert served.requests == [
        {
            "model": "m-1",
            "messages": ASK,
            "tools": [tool],
            "temperature": 0.5,
            "seed": 7,
            "response_format": {"type": "json_schema", "json_schema": {"name": "Draft", "schema": shape}},
        }
    ]
    assert served.keys == ["Bearer secret-key"]


async def test_a_rate_limit_is_waited_out_for_as_long_as_the_server_says() -> None:
    patient = RetryPolicy(tries=3, initial_seconds=3600)
    with llm_server("gsm8k", answers=ANSWERS, mix="e429=1") as server:
        reply = await ask(server.url, FIRST["question"], retry=patient)
        assert server.stats()["replies"] == {"429": 2, "200": 1}
    assert reply.message["tool_calls"][0]["function"]["name"] == "complete_task"


async def test_a_failing_server_is_tried_three_times_and_then_unavailable() -> None:
    with llm_server("gsm8k", answers=ANSWERS, mix="e500=1") as server:
        with pytest.raises(ModelUnavailable) as failed:
            await ask(server.url, FIRST["question"])
        assert server.stats()["replies"] == {"500": 3}
    assert failed.value.error_type == "network_error"
    message = str(failed.value)
    assert server.url in message
    assert "m-1" in message
    assert "in 3 tries: HTTP 500" in message
    assert failed.value.remedy


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_refused_key_or_model_is_not_tried_again(status: int) -> None:
    async with serving(gives(b'{"error": {"message": "no such key"}}', status)) as (served, model):
        with pytest.raises(ModelRefused, match=rf"HTTP {status}: .*no such key"):
            await model.complete(ASK)
    assert len(served.requests) == 1


async def test_no_error_shows_the_key() -> None:
    for status in (400, 401, 500):
        async with serving(gives(b"{}", status)) as (_, model):
            with pytest.raises(InfrastructureError) as failed:
                await model.complete(ASK)
        assert "secret-key" not in str(failed.value)


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_bad_request_is_our_failure_and_not_tried_again(status: int) -> None:
    body = b'{"error": {"message": "unknown field top_p", "code": null}}'
    async with serving(gives(body, status)) as (served, model):
        with pytest.raises(InfrastructureError, match="unknown field top_p") as failed:
            await model.complete(ASK)
    assert not isinstance(failed.value, ModelRefused | ModelUnavailable)
    assert len(served.requests) == 1


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (400, {"error": {"message": "No.", "code": "context_length_exceeded"}}, "context_length_exceeded"),
        (400, {"message": "This model's maximum context length is 4096 tokens.", "code": 400}, "4096 tokens"),
        (400, {"error": {"message": "Full.", "type": "exceed_context_size_error"}}, "Full"),
        (400, [{"error": {"message": "The input token count (9) exceeds the maximum (8)."}}], "count"),
        (413, {"error": {"message": "Too many tokens in the request."}}, "Too many tokens"),
        (422, {"error": "Prompt is too long."}, "too long"),
        (400, {"error": {"message": "Filtered.", "code": "content_filter"}}, "Filtered"),
        (400, {"error": {"message": "Content Exists Risk"}}, "Content Exists Risk"),
        (400, {"error": {"message": "maximum context length, json_schema included"}}, "context length"),
    ],
)
async def test_a_conversation_the_model_does_not_take_is_the_agents_failure(
    status: int, body: Any, told: str
) -> None:
    async with serving(gives(json.dumps(body).encode(), status)) as (served, model):
        with pytest.raises(ToolError, match="did not take the conversation: HTTP") as failed:
            await model.complete(ASK, schema={"type": "object"})
    assert failed.value.error_type == "runtime_error"
    is_filtered = "Filtered" in told or "Risk" in told
    assert failed.value.error_class == ("" if is_filtered else "context_length")
    assert told in failed.value.message
    assert len(served.requests) == 1


NO_SCHEMAS = gives(b'{"error": {"message": "This response_format type is unavailable now"}}', 400)


async def test_a_provider_that_refuses_schemas_is_asked_for_plain_json_from_then_on() -> None:
    async with serving(NO_SCHEMAS, gives(b"{}", 503), gives(GOOD)) as (served, model):
        reply = await model.complete(ASK, schema={"type": "object"})
        await model.complete(ASK, schema={"type": "object"})
        await model.complete(ASK)
    assert reply.message["content"] == "Hi."
    formats = [request.get("response_format", {}).get("type") for request in served.requests]
    assert formats == ["json_schema", "json_object", "json_object", "json_object", None]


async def test_calls_in_flight_together_all_survive_a_refused_schema() -> None:
    both_arrived = asyncio.Barrier(2)

    async def refuses_both_at_once(request: web.Request) -> web.StreamResponse:
        await both_arrived.wait()
        return await NO_SCHEMAS(request)

    async with serving(refuses_both_at_once, refuses_both_at_once, gives(GOOD)) as (_, model):
        asked = (model.complete(ASK, schema={"type": "object"}) for _ in range(2))
        replies = await asyncio.gather(*asked)
    assert [reply.message["content"] for reply in replies] == ["Hi.", "Hi."]


async def test_a_provider_that_refuses_plain_json_too_is_asked_in_words_alone() -> None:
    async with serving(NO_SCHEMAS, NO_SCHEMAS, gives(GOOD)) as (served, model):
        await model.complete(ASK, schema={"type": "object"})
        await model.complete(ASK, schema={"type": "object"})
    formats = [request.get("response_format", {}).get("type") for request in served.requests]
    assert formats == ["json_schema", "json_object", None, None]


async def test_a_provider_that_refuses_every_form_is_our_failure() -> None:
    async with serving(NO_SCHEMAS) as (served, model):
        with pytest.raises(InfrastructureError, match="response_format type is unavailable"):
            await model.complete(ASK, schema={"type": "object"})
    assert len(served.requests) == 3


async def test_another_bad_request_with_a_schema_is_not_repeated() -> None:
    async with serving(gives(b'{"error": {"message": "unknown field top_p"}}', 400)) as (served, model):
        with pytest.raises(InfrastructureError, match="top_p"):
            await model.complete(ASK, schema={"type": "object"})
    assert len(served.requests) == 1


@pytest.mark.parametrize(
    "damaged",
    [
        gives(GOOD[: len(GOOD) // 2]),
        breaks_off,
        gives(b""),
        gives(b"<html>busy</html>"),
        gives(b'{"choices": []}'),
        gives(b'{"choices": [{"message": null}]}'),
        gives(b'{"choices": [{"message": "Hi."}]}'),
        gives(b'{"choices": [{}], "usage": 7}'),
        gives(b'{"choices": [{"message": {"tool_calls": [null]}}]}'),
        gives(b'{"choices": [{"message": {"tool_calls": {"function": {}}}}]}'),
        gives(b'{"choices": [{"message": {"tool_calls": [{"id": "c"}]}}]}'),
        gives(b'{"choices": [{"message": {"tool_calls": [{"function": "x"}]}}]}'),
        gives(b'{"choices": [{"message": {"content": 7}}]}'),
        gives(b'{"choices": [{"message": {"content": {"text": "Hi."}}}]}'),
        gives(b'{"choices": [{"message": {"content": ["Hi."]}}]}'),
        gives(b'{"choices": [{"message": {"content": [{"type": "text", "text": null}]}}]}'),
        gives(b'{"choices": [{"message": {"content": [{"type": "image_url", "image_url": {}}]}}]}'),
        gives(b"null"),
        gives(b"{}", 503),
        gives(b"{}", 408),
        gives(b"{}", 429, Retry_After="0"),
    ],
)
async def test_a_damaged_or_passing_reply_is_asked_for_again(damaged: Any) -> None:
    async with serving(damaged, gives(GOOD)) as (served, model):
        reply = await model.complete(ASK)
    assert reply.message["content"] == "Hi."
    assert len(served.requests) == 2
    assert served.requests[0] == served.requests[1]


async def test_a_reply_that_stays_damaged_is_unavailable_and_says_what_is_wrong() -> None:
    async with serving(gives(b"<html>busy</html>")) as (_, model):
        with pytest.raises(ModelUnavailable, match="not a chat completion"):
            await model.complete(ASK)


async def test_a_dropped_connection_is_retried_and_told_as_what_it_is() -> None:
    with llm_server("down") as server:
        with pytest.raises(ModelUnavailable) as failed:
            await ask(server.url)
        assert server.stats()["replies"] == {"closed": 3}
    assert "connection failed" in str(failed.value)
    assert "disconnected" in str(failed.value)
    assert "within" not in str(failed.value)


async def test_an_address_where_nobody_listens_is_told_as_what_it_is() -> None:
    with llm_server("steps") as server:
        url = server.url
    with pytest.raises(ModelUnavailable, match=r"connection failed .*Connect call failed"):
        await ask(url)


async def test_a_server_that_does_not_answer_in_time_is_a_timeout() -> None:
    with llm_server("hang") as server, pytest.raises(ModelUnavailable, match=r"no reply within 0\.1 s"):
        await ask(server.url, timeout=0.1, retry=RetryPolicy(tries=2, initial_seconds=0.001))


async def test_keys_that_we_do_not_know_come_through_unchanged() -> None:
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": "{not json"},
        "extra_content": {"google": {"thought_signature": "AbC="}},
    }
    message = {"role": "assistant", "reasoning_content": "思考", "tool_calls": [call]}
    sent = completion(
        {**message, "content": None, "audio": None}, prompt_tokens=1, completion_tokens=1, finish_reason="x"
    )
    async with serving(gives(sent)) as (served, model):
        reply = await model.complete(ASK)
        await model.complete([*ASK, reply.message])
    assert reply.message == message, "keys without a value are left out"
    assert reply.finish_reason == "x"
    assert served.requests[1]["messages"][-1] == message


async def test_content_in_text_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "Hi, "}, {"type": "text", "text": "you."}]
    sent = completion({"role": "assistant", "content": parts}, prompt_tokens=1, completion_tokens=1)
    async with serving(gives(sent)) as (_, model):
        reply = await model.complete(ASK)
    assert reply.message == {"role": "assistant", "content": "Hi, you."}


async def test_a_reply_without_usage_counts_no_tokens() -> None:
    async with serving(gives(b'{"choices": [{"message": {"content": "Hi."}}], "usage": null}')) as (_, model):
        reply = await model.complete(ASK)
    assert (reply.prompt_tokens, reply.completion_tokens, reply.finish_reason) == (0, 0, "stop")


async def test_a_client_can_be_closed_twice_and_used_again() -> None:
    async with serving(gives(GOOD)) as (_, model):
        await model.complete(ASK)
        await model.aclose()
        await model.aclose()
        assert (await model.complete(ASK)).message["content"] == "Hi."


@pytest.mark.parametrize("reply", [gives(b'{"data": []}'), refuses(404), refuses(429, "Slow down.")])
async def test_a_provider_that_answers_to_its_key_passes_the_check(reply: Replying) -> None:
    async with serving(reply) as (served, model):
        await model.check(timeout=60)
    assert served.keys == ["Bearer secret-key"]


@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        (refuses(401, "Bad key."), ModelRefused, "HTTP 401: Bad key."),
        (refuses(402), OutOfCredit, "for want of money"),
        (refuses(429, "insufficient_quota"), OutOfCredit, "for want of money"),
        (refuses(503), ModelUnavailable, "does not answer: HTTP 503"),
    ],
)
async def test_the_check_tells_why_a_provider_would_take_no_call(
    reply: Replying, error: type[Exception], told: str
) -> None:
    async with serving(reply) as (_, model):
        with pytest.raises(error, match=told):
            await model.check(timeout=60)


async def test_the_check_waits_no_longer_than_it_is_told() -> None:
    async with serving(hangs) as (_, model):
        with pytest.raises(ModelUnavailable, match=r"does not answer: no reply within 0\.05 s"):
            await model.check(timeout=0.05)


async def test_the_check_of_an_address_where_nobody_listens_says_so() -> None:
    async with serving(hangs) as (served, _):
        pass
    model = chat(served.url)
    with pytest.raises(ModelUnavailable, match="does not answer: connection failed"):
        await model.check(timeout=60)
    await model.aclose()
