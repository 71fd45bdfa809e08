"""Telling of a provider that gives no reply any more: when, once, and when it is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from runtimes.errors import ModelUnavailable
from runtimes.llm import outage
from runtimes.llm.outage import Outage
from tests.runtimes.llm.serving import ASK, GOOD, gives, refuses, server, serving
from tests.runtimes.llm.serving import chat as client

DOWN = refuses(503)
NEVER = 3600.0


class Told(logging.Handler):
    """What was told, without moments and ports."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def told() -> Iterator[list[str]]:
    handler = Told()
    outage.log.addHandler(handler)
    yield handler.lines
    outage.log.removeHandler(handler)


def at_once() -> Outage:
    return Outage("vllm", patience=0.0, first_patience=0.0)


async def test_an_outage_of_many_calls_is_told_once_and_once_when_it_is_over(told: list[str]) -> None:
    replies = [gives(GOOD), *[DOWN] * 9, gives(GOOD)]
    async with serving(*replies, outage=at_once()) as (served, model):
        await model.complete(ASK)
        for _ in range(3):
            with pytest.raises(ModelUnavailable):
                await model.complete(ASK)
        await asyncio.gather(*(model.complete(ASK) for _ in range(3)))
    assert len(served.requests) == 13
    assert len(told) == 2, told
    assert "vllm has not answered since" in told[0]
    assert "HTTP 503: No." in told[0]
    assert "vllm answers again" in told[1]


async def test_a_second_outage_is_told_like_the_first(told: list[str]) -> None:
    async with serving(DOWN, gives(GOOD), DOWN, gives(GOOD), outage=at_once()) as (_, model):
        await model.complete(ASK)
        await model.complete(ASK)
    assert [" ".join(line.split()[:2]) for line in told] == ["vllm has", "vllm answers"] * 2


async def test_a_short_one_is_not_told(told: list[str]) -> None:
    quiet = Outage("vllm", patience=NEVER, first_patience=NEVER)
    async with serving(DOWN, gives(GOOD), outage=quiet) as (_, model):
        await model.complete(ASK)
    assert told == []


async def test_one_that_never_answered_is_told_of_sooner_than_one_that_did(told: list[str]) -> None:
    sooner = {"patience": NEVER, "first_patience": 0.0}
    async with serving(DOWN, gives(GOOD), DOWN, gives(GOOD), outage=Outage("vllm", **sooner)) as (_, model):
        await model.complete(ASK)
        first = len(told)
        await model.complete(ASK)
    assert (first, len(told)) == (2, 2)


async def test_a_rate_limit_is_an_answer(told: list[str]) -> None:
    limited = refuses(429, Retry_After="0")
    async with serving(DOWN, limited, gives(GOOD), outage=at_once()) as (_, model):
        await model.complete(ASK)
    assert len(told) == 2


async def test_connections_that_are_refused_are_told_as_such(told: list[str]) -> None:
    async with server(DOWN) as gone:
        url = gone.url
    model = client(url, outage=at_once())
    with pytest.raises(ModelUnavailable):
        await model.complete(ASK)
    await model.aclose()
    assert "Connect call failed" in told[0]


async def test_nothing_is_told_of_a_model_that_was_closed(told: list[str]) -> None:
    begun = at_once()
    begun.failed("HTTP 503", ever_answered=True)
    begun.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert told == []
