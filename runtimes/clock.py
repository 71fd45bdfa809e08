"""The time limit of an episode, which stands still while it is the platform that is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class Clock:
    """Ends what runs in `limited` with TimeoutError when it took its seconds, those of `stopped` not counted.

    Outside of `limited` it does nothing.
    """

    def __init__(self) -> None:
        self._deadline: asyncio.Timeout | None = None
        self._is_stopped = False

    @asynccontextmanager
    async def limited(self, seconds: float) -> AsyncIterator[None]:
        """Raises TimeoutError where it takes longer; `is_over` then says so until the next limit."""
        async with asyncio.timeout(seconds) as self._deadline:
            yield

    @property
    def is_over(self) -> bool:
        """Whether the time is up, though nobody may have been interrupted yet."""
        deadline = self._deadline
        if deadline is None or (when := deadline.when()) is None:
            return False
        return when <= asyncio.get_running_loop().time()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """What is waited for within does not count."""
        deadline = self._deadline
        if self._is_stopped or deadline is None or deadline.expired() or (when := deadline.when()) is None:
            yield
            return
        loop = asyncio.get_running_loop()
        since = loop.time()
        deadline.reschedule(None)
        self._is_stopped = True
        try:
            yield
        finally:
            self._is_stopped = False
            deadline.reschedule(when + loop.time() - since)

    def spend(self, seconds: float) -> None:
        """Count so much of what did not count while it was waited for."""
        if self._deadline is not None and (when := self._deadline.when()) is not None:
            self._deadline.reschedule(when - seconds)
