"""The time that a verdict may take: what a grader does counts, what it waits for does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Clock:
    """The limit of one verdict; `in_agents_code` where it ran out while code of the agent's did."""

    deadline: asyncio.Timeout
    in_agents_code: bool = False


_CLOCK: ContextVar[Clock | None] = ContextVar("clock", default=None)


@asynccontextmanager
async def limited(seconds: float) -> AsyncIterator[Clock]:
    """End the block by TimeoutError after so many seconds that count."""
    async with asyncio.timeout(seconds) as deadline:
        clock = Clock(deadline)
        token = _CLOCK.set(clock)
        try:
            yield clock
        finally:
            _CLOCK.reset(token)


@contextmanager
def uncounted() -> Iterator[None]:
    """Around waiting for what others hold: a place, a turn, a model that is asked by many."""
    clock = _CLOCK.get()
    until = None if clock is None or clock.deadline.expired() else clock.deadline.when()
    if clock is None or until is None:
        yield
        return
    loop = asyncio.get_running_loop()
    began = loop.time()
    clock.deadline.reschedule(None)
    try:
        yield
    finally:
        clock.deadline.reschedule(until + loop.time() - began)


@contextmanager
def agents_code() -> Iterator[None]:
    """Around running what the agent wrote: should the time run out here, that is its doing."""
    try:
        yield
    except asyncio.CancelledError:
        clock = _CLOCK.get()
        if clock is not None:
            clock.in_agents_code = clock.deadline.expired()
        raise
