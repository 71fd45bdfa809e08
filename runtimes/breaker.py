"""A circuit breaker: what fails too often is left alone for a while, then tried once before it is used again.

Of providers and tools alike. It knows nothing of retries or waiting: those who call decide what to do when
it is open.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

log = logging.getLogger(__name__)

State = Literal["closed", "open", "half_open"]

_SLICES = 12
"""The window slides by a twelfth of itself, so that a thousand calls a second cost no memory."""


class BreakerOpen(Exception):
    """The call was not made. `retry_in` is after how many seconds a trial may be allowed."""

    def __init__(self, retry_in: float) -> None:
        super().__init__(f"out of order, to be tried again in {retry_in:.1f} s")
        self.retry_in = retry_in


@dataclass
class _Slice:
    number: int
    calls: int = 0
    failures: int = 0


class Breaker:
    """Opens when `threshold` (0 to 1) or more of the calls of the last `window_seconds` failed, `least_calls`
    at least.

    After `open_seconds` it is half open: one call at a time is let through as a trial, which closes it or
    opens it again. `name` is what the log calls it. For one event loop, not for threads.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.5,
        window_seconds: float = 60.0,
        least_calls: int = 5,
        open_seconds: float = 30.0,
        name: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold = threshold
        self._slice_seconds = window_seconds / _SLICES
        self._least_calls = least_calls
        self._open_seconds = open_seconds
        self._name = name
        self._clock = clock
        self._slices: deque[_Slice] = deque()
        self._calls = 0
        self._failures = 0
        self._opened_at: float | None = None
        self._on_trial: _Call | None = None

    @property
    def state(self) -> State:
        if self._opened_at is None:
            return "closed"
        return "open" if self._clock() < self._opened_at + self._open_seconds else "half_open"

    def call(self, *failures: type[BaseException], again: bool = False) -> AbstractContextManager[None]:
        """Around one call: exceptions of `failures` count as failures, others as an answer, a cancellation
        as neither. Nor does the failure of a call that is tried `again`: it was counted the first time.

        Entering raises BreakerOpen while it is open, or half open with a trial under way.
        """
        return _Call(self, failures, again)

    def _enter(self, call: _Call) -> None:
        if self._opened_at is None:
            return
        wait = self._opened_at + self._open_seconds - self._clock()
        if wait > 0:
            raise BreakerOpen(wait)
        if self._on_trial is not None:
            # Nobody knows how long the trial takes; if it fails it will be a whole turn.
            raise BreakerOpen(min(1.0, self._open_seconds))
        self._on_trial = call

    def is_trial(self, call: AbstractContextManager[None]) -> bool:
        """Whether this call is the trial."""
        return self._on_trial is call

    def _leave(self, call: _Call, failed: bool | None) -> None:
        """`failed` is None where the call says nothing, having been cancelled."""
        if self._on_trial is call:
            self._on_trial = None
            if failed is None:
                return
            self._opened_at = self._clock() if failed else None
            log.warning("%s %s", self._name, "failed its trial." if failed else "is in order again.")
        elif self._opened_at is None and failed is not None:
            self._count(failed)

    def _count(self, failed: bool) -> None:
        now = self._clock()
        number = int(now / self._slice_seconds)
        while self._slices and self._slices[0].number <= number - _SLICES:
            old = self._slices.popleft()
            self._calls -= old.calls
            self._failures -= old.failures
        if not self._slices or self._slices[-1].number != number:
            self._slices.append(_Slice(number))
        current = self._slices[-1]
        current.calls += 1
        current.failures += failed
        self._calls += 1
        self._failures += failed
        if failed and self._calls >= self._least_calls and self._failures >= self._threshold * self._calls:
            self._opened_at = now
            log.warning("%s is out of order: %d of %d calls failed.", self._name, self._failures, self._calls)
            self._slices.clear()
            self._calls = self._failures = 0


class _Call(AbstractContextManager[None]):
    __slots__ = ("_again", "_breaker", "_failures")

    def __init__(self, breaker: Breaker, failures: tuple[type[BaseException], ...], again: bool) -> None:
        self._breaker = breaker
        self._failures = failures
        self._again = again

    def __enter__(self) -> None:
        self._breaker._enter(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            failed: bool | None = False
        elif issubclass(kind, self._failures):
            failed = None if self._again and not self._breaker.is_trial(self) else True
        else:
            failed = False if issubclass(kind, Exception) else None
        self._breaker._leave(self, failed)
