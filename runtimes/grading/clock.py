"""The time that a verdict may take: what a grader does counts, what it waits for does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar

from runtimes.clock import Clock


class VerdictClock(Clock):
    """The limit of one verdict; `in_agents_code` where it ran out while code of the agent's did."""

    in_agents_code = False


_CLOCK: ContextVar[VerdictClock | None] = ContextVar("clock", default=None)


@asynccontextmanager
async def limited(seconds: float) -> AsyncIterator[VerdictClock]:
    """End the block by TimeoutError after so many seconds that count."""
    clock = VerdictClock()
    async with clock.limited(seconds):
        token = _CLOCK.set(clock)
        try:
            yield clock
        finally:
            _CLOCK.reset(token)


def uncounted() -> AbstractContextManager[None]:
    """Around waiting for what others hold: a place, a turn, a model that is asked by many."""
    clock = _CLOCK.get()
    return nullcontext() if clock is None else clock.stopped()


@contextmanager
def agents_code() -> Iterator[None]:
    """Around running what the agent wrote: should the time run out here, that is its doing."""
    try:
        yield
    except asyncio.CancelledError:
        clock = _CLOCK.get()
        if clock is not None:
            clock.in_agents_code = clock.is_over
        raise
