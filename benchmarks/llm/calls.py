"""Calls a second of our client and of the bare `openai` client, with a free server and with one that caps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from runtimes.errors import PlatformError
from runtimes.llm.base import ChatModel
from runtimes.llm.providers import ModelChoice, choose_model
from tests.llm_server.process import RunningServer, llm_server

DELAY_MS = 50
IN_FLIGHT = 256
CAP = 48
CALLS, QUICK_CALLS = 3000, 300
ROUNDS, QUICK_ROUNDS = 5, 1
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "You solve tasks with tools. " * 40},
    {"role": "user", "content": "Print the number 7 twice."},
]

Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Burst:
    """So many calls, as many at once as allowed: how long they took, in seconds, and how many failed."""

    calls: int
    lost: int
    seconds: float

    @property
    def goodput(self) -> float:
        return (self.calls - self.lost) / self.seconds


async def measure(*, quick: bool) -> dict[str, float]:
    count, rounds = (QUICK_CALLS, QUICK_ROUNDS) if quick else (CALLS, ROUNDS)
    return {**await throughput(count, rounds), **await capped(count, rounds)}


async def throughput(count: int, rounds: int) -> dict[str, float]:
    """Both clients with as many in flight as they like, warm."""
    with llm_server("steps", delay_ms=DELAY_MS) as server:
        async with our_client(server) as ours, bare_client(server) as bare:
            for call in (ours, bare):
                await burst(call, count, IN_FLIGHT)
            pairs = [
                (await burst(ours, count, IN_FLIGHT), await burst(bare, count, IN_FLIGHT))
                for _ in range(rounds)
            ]
    return {"throughput_ratio": ratio(pairs)}


async def capped(count: int, rounds: int) -> dict[str, float]:
    """Our client, which has to find the cap out, anew in each round, against itself when it is told."""
    pairs: list[tuple[Burst, Burst]] = []
    shares: list[float] = []
    for _ in range(rounds):
        with llm_server("steps", delay_ms=DELAY_MS, cap=CAP) as server:
            async with our_client(server) as ours:
                found = await burst(ours, count, IN_FLIGHT)
            seen = server.stats()["replies"]
            shares.append(seen.get("429", 0) / sum(seen.values()))
            async with our_client(server, CAP) as told:
                pairs.append((found, await burst(told, count, IN_FLIGHT)))
    return {
        "calls_lost": sum(ours.lost for ours, _ in pairs),
        "share_429": round(median(shares), 4),
        "goodput_ratio": ratio(pairs),
    }


def ratio(pairs: list[tuple[Burst, Burst]]) -> float:
    """Replies a second of the first of each pair to those of the second, taken right after it; the median."""
    return float(round(median(first.goodput / second.goodput for first, second in pairs), 3))


async def burst(call: Call, count: int, at_once: int) -> Burst:
    left, lost = count, 0

    async def caller() -> None:
        nonlocal left, lost
        while left > 0:
            left -= 1
            try:
                await call()
            except PlatformError:
                lost += 1

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, count)):
            group.create_task(caller())
    return Burst(count, lost, time.perf_counter() - started)


@asynccontextmanager
async def our_client(server: RunningServer, at_most: int = IN_FLIGHT) -> AsyncIterator[Call]:
    model: ChatModel = choose_model(ModelChoice(vllm_url=server.url, max_in_flight=at_most))
    try:
        yield lambda: model.complete(MESSAGES)
    finally:
        await model.aclose()


@asynccontextmanager
async def bare_client(server: RunningServer) -> AsyncIterator[Call]:
    """As anybody would use it."""
    from openai import AsyncOpenAI, DefaultAioHttpClient

    async with AsyncOpenAI(
        base_url=server.url, api_key="none", max_retries=0, http_client=DefaultAioHttpClient()
    ) as client:
        yield lambda: client.chat.completions.create(model="test-model", messages=MESSAGES)  # type: ignore[arg-type]
