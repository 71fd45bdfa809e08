"""Every fault of a reply or a connection, over real sockets: what is done about it, and how it is called."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any

import pytest

from runtimes.errors import ConfigurationError, ModelRefused, ModelUnavailable
from runtimes.llm.base import Sampling
from runtimes.llm.providers import ModelChoice, choose_model
from runtimes.llm.reply import MAX_REPLY_BYTES
from tests.llm_server.process import ROOT
from tests.llm_server.replies import assistant, completion, tool_call
from tests.runtimes.llm.serving import (
    ASK,
    GOOD,
    Replying,
    breaks_off,
    chat,
    drips,
    gives,
    goes_on_forever,
    hangs,
    refuses,
    server,
    serving,
    stops_half_way,
)

TLS = ROOT / "tests/data/tls"
GERMAN = GOOD.replace(b"Hi.", "Schöne Grüße".encode())
STREAMED = b'data: {"choices": [{"delta": {"content": "Hi."}}]}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (gives(b""), "not a chat completion .*Input data was truncated"),
        (gives(GOOD[:-20]), "not a chat completion .*truncated"),
        (gives(b"<html>502</html>"), "not a chat completion .*malformed"),
        (gives(STREAMED), "not a chat completion .*malformed"),
        (gives(GERMAN.decode().encode("latin-1")), "not a chat completion .*utf-8"),
        (gives(GERMAN.decode().encode("utf-16")), "not a chat completion"),
        (gives(GOOD.replace(b"Hi.", b"\\ud800")), "not a chat completion .*surrogate"),
        (gives(b'{"choices": ' + b"[" * 100_000), "not a chat completion"),
        (gives(b'{"choices": [{"message": 7}]}'), "not a chat completion .*the message is not an object"),
        (gives(b'{"error": {"message": "busy"}}'), "an error: .*busy"),
        (gives(b'{"id": "x"}'), "not a chat completion .*choices"),
        (gives(GOOD.replace(b'"prompt_tokens": 5', b'"prompt_tokens": 1e999')), "not a chat completion"),
        (breaks_off, "connection failed"),
        (refuses(500, "Oops."), "HTTP 500: Oops"),
        (refuses(503, "Busy.", Retry_After="0"), "HTTP 503: Busy"),
    ],
)
async def test_a_fault_that_may_pass_is_tried_again_and_then_named(reply: Replying, told: str) -> None:
    async with serving(reply, gives(GOOD)) as (served, model):
        assert (await model.complete(ASK)).message["content"] == "Hi."
        assert len(served.requests) == 2
    async with serving(reply) as (served, model):
        with pytest.raises(ModelUnavailable, match=f"in 3 tries: (the reply is )?{told}") as failed:
            await model.complete(ASK)
        assert len(served.requests) == 3
    assert failed.value.remedy


async def test_text_beyond_ascii_comes_through() -> None:
    async with serving(gives(GERMAN)) as (_, model):
        assert (await model.complete(ASK)).message["content"] == "Schöne Grüße"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": None},
        {"role": "assistant"},
        assistant(None, [tool_call("no_such_tool", '{"x": 1')]),
        assistant("x" * 1_000_000),
    ],
    ids=["empty", "null", "no content", "broken call", "a megabyte"],
)
async def test_what_a_model_may_say_is_passed_on_to_whoever_asked(message: dict[str, Any]) -> None:
    sent = completion(message, prompt_tokens=1, completion_tokens=1, finish_reason="length")
    async with serving(gives(sent)) as (served, model):
        reply = await model.complete(ASK)
    assert reply.message == {key: value for key, value in message.items() if value is not None}
    assert reply.finish_reason == "length"
    assert len(served.requests) == 1


@pytest.mark.parametrize("status", [200, 500])
async def test_a_body_without_end_is_cut_off_at_its_bound(status: int) -> None:
    async with serving(goes_on_forever(b" " * 1_000_000, status)) as (served, model):
        with pytest.raises(ModelUnavailable, match=rf"longer than {MAX_REPLY_BYTES >> 20} MiB"):
            await model.complete(ASK)
        assert len(served.requests) == 3


@pytest.mark.parametrize("reply", [hangs, stops_half_way, drips])
async def test_a_reply_that_does_not_end_is_cut_off_in_time(reply: Replying) -> None:
    async with serving(reply, gives(GOOD), timeout=2) as (served, model):
        assert (await model.complete(ASK)).message["content"] == "Hi."
        await served.closed.wait()
    async with serving(reply, timeout=0.05) as (_, model):
        with pytest.raises(ModelUnavailable, match=r"no reply within 0\.05 s"):
            await model.complete(ASK)


@pytest.mark.parametrize("reply", [hangs, stops_half_way, drips])
async def test_a_cancelled_call_closes_its_connection(reply: Replying) -> None:
    async with serving(reply) as (served, model):
        call = asyncio.create_task(model.complete(ASK))
        await served.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await served.closed.wait()
    assert (served.cut_off, len(served.requests)) == (1, 1)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_bad_key_or_model_is_for_a_person(status: int) -> None:
    async with serving(refuses(status, "Who are you?")) as (served, model):
        with pytest.raises(ModelRefused, match=rf"refused model m-1 \(HTTP {status}: Who are you") as failed:
            await model.complete(ASK)
    assert "API key" in failed.value.remedy
    assert len(served.requests) == 1


async def test_a_wait_that_only_the_body_names_is_kept() -> None:
    gemini = [{"error": {"code": 429, "message": "Quota.", "details": [{"retryDelay": "3600s"}]}}]
    async with serving(gives(json.dumps(gemini).encode(), 429)) as (served, model):
        with pytest.raises(
            ModelUnavailable, match=r"rate limited for long, to be tried again in 3[6-9]\d\d s"
        ):
            await model.complete(ASK)
    assert len(served.requests) == 1


@pytest.mark.parametrize(("provider", "sent"), [("gemini", set()), ("openai", {"seed"})])
async def test_a_provider_is_not_sent_what_it_does_not_know(provider: str, sent: set[str]) -> None:
    async with serving(gives(GOOD), provider=provider) as (served, model):
        await model.complete(ASK, sampling=Sampling(seed=1, temperature=0.5))
    assert served.requests[0].keys() - {"model", "messages"} == {"temperature"} | sent


async def test_a_wish_that_a_server_does_not_know_is_not_made_again() -> None:
    unknown = refuses(400, "Unsupported parameter: seed")
    async with serving(unknown, gives(GOOD)) as (served, model):
        for _ in range(2):
            await model.complete(ASK, sampling=Sampling(seed=1, top_p=0.9))
    assert ["seed" in request for request in served.requests] == [True, False, False]
    assert all("top_p" in request for request in served.requests)


def certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
    return context


async def test_a_certificate_that_nobody_vouches_for_is_for_a_person_and_has_a_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with server(gives(GOOD), tls=certificate()) as served:
        model = chat(served.url)
        with pytest.raises(ModelRefused, match=r"certificate of vllm at https.*self-signed") as failed:
            await model.complete(ASK)
        await model.aclose()
        assert not served.requests
        assert "SSL_CERT_FILE" in failed.value.remedy

        monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "certificate.pem"))
        model = chat(served.url)
        assert (await model.complete(ASK)).message["content"] == "Hi."
        await model.aclose()


async def test_a_certificate_of_another_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "certificate.pem"))
    async with server(gives(GOOD), tls=certificate()) as served:
        model = chat(served.url.replace("127.0.0.1", "localhost"))
        with pytest.raises(ModelRefused, match="certificate"):
            await model.complete(ASK)
        await model.aclose()


async def test_a_server_without_tls_behind_https_is_for_a_person() -> None:
    async with server(gives(GOOD)) as served:
        model = chat(served.url.replace("http:", "https:"))
        with pytest.raises(ModelRefused, match="does not speak TLS") as failed:
            await model.complete(ASK)
        await model.aclose()
    assert "http://" in failed.value.remedy


async def test_a_vllm_address_with_a_bad_certificate_says_so_before_anything_runs() -> None:
    async with server(gives(GOOD), tls=certificate()) as served:
        with pytest.raises(ConfigurationError, match="vouches for its certificate") as failed:
            await asyncio.to_thread(choose_model, ModelChoice(vllm_url=served.url))
    assert "SSL_CERT_FILE" in failed.value.remedy
