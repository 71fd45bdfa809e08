"""The one retry policy: exponential backoff, initial * 2^n, for faults that may pass."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

T = TypeVar("T")

MAX_WAIT_SECONDS = 60.0


class Transient(Exception):
    """A failed try that may be repeated; `retry_after` is the wait, in seconds, the other side asked for."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True)
class RetryPolicy:
    """`tries` in all; the n-th wait is `initial_seconds` * 2^n with up to a quarter of jitter."""

    tries: int = 3
    initial_seconds: float = 1.0

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """The first success. Raises the last Transient when every try failed."""
        for attempt in range(self.tries):
            try:
                return await work()
            except Transient as fault:
                if attempt + 1 == self.tries:
                    raise
                await asyncio.sleep(self.wait(attempt, fault.retry_after))
        raise ValueError("a retry policy needs at least one try")

    def wait(self, attempt: int, retry_after: float | None) -> float:
        """Seconds to wait after the try numbered `attempt` from 0."""
        if retry_after is not None:
            return min(retry_after * random.uniform(1.0, 1.1), MAX_WAIT_SECONDS)
        backoff = self.initial_seconds * float(2 ** min(attempt, 30))
        return min(backoff * random.uniform(1.0, 1.25), MAX_WAIT_SECONDS)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that the headers of a refusal ask to wait; None where they do not say.

    As `retry-after-ms`, which OpenAI and Azure send, or `retry-after`, a number or a date.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    said = headers.get("retry-after")
    seconds = _number(said)
    if seconds is not None or said is None:
        return seconds
    try:
        when = parsedate_to_datetime(said)
    except ValueError:
        return None
    # A date without a zone is read as UTC, which HTTP's dates are.
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return max(0.0, value) if math.isfinite(value) else None
