"""How many calls one model of one provider takes at once, learned from its refusals (HTTP 429).

Only the number in flight and the pauses that all calls share. What a fault means, and how often a call is
tried, is said elsewhere.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from types import TracebackType

FIRST_LIMIT = 32
"""Calls in flight before anything is known of the provider."""
ANSWERS_A_STEP = 4
"""Answers for each further call in flight until the first refusal: a quarter more with each round of replies,
and so at most a quarter too many when they come at once."""
PATIENCE, MOST_PATIENCE = 8, 256
"""Answers, for each call in flight, before the ceiling is tried; doubled when that was in vain."""
HOPELESS_SECONDS = 60.0
"""So long with nothing but refusals, or asked to pause for so long, and calls are sent away."""


class RateLimited(Exception):
    """The provider refused a call for now. `retry_after` is in seconds, None where it did not say."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class NoRoom(Exception):
    """The call was not made, for the provider takes none and will not soon; `retry_in` is in seconds."""

    def __init__(self, retry_in: float) -> None:
        super().__init__(f"rate limited for long, to be tried again in {retry_in:.0f} s")
        self.retry_in = retry_in


class Pace:
    """A limit on calls in flight that grows until the first refusal, then halves and feels its way back.

    After a refusal nothing starts until the pause it asked for is over, jittered and the same for all calls.
    Where it asked for none: until another call is answered, which proves that there is room for one, or,
    with none in flight, for `pause` seconds, doubled each time. Each answer then raises the limit by one, up
    to the ceiling: what was in flight beside the refused call. Beyond it is tried seldom, and in larger steps
    as long as that goes well; a refusal there costs one step, a refusal elsewhere half of the limit.

    `most` bounds the limit. For one event loop.
    """

    def __init__(self, *, most: int = 256, pause: float = 1.0) -> None:
        self.limit = min(most, FIRST_LIMIT)
        self.in_flight = 0
        self._most = most
        self._ceiling = most
        self._beyond = 0
        self._answers = 0
        self._patience = PATIENCE
        self._cuts = 0
        self._pause = pause
        self._pauses = 0
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._refused_since: float | None = None
        self._queue: deque[asyncio.Future[int]] = deque()

    def slot(self, *, again: bool = False) -> Slot:
        """Room for one call, to be left by RateLimited when it is refused. `again` goes before all others.

        Entering waits for room, and raises NoRoom when that is no use.
        """
        return Slot(self, again)

    async def enter(self, again: bool = False) -> int:
        """Wait for room; the number of cuts when it was let in, to be given back with a refusal."""
        if not self._closed and self.in_flight < self.limit and (again or not self._queue):
            self.in_flight += 1
            return self._cuts
        if self._hopeless():
            raise self._no_room()
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if again:
            self._queue.appendleft(turn)
        else:
            self._queue.append(turn)
        self._admit()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()
            raise

    def leave(self) -> None:
        """A call ended that tells nothing about room: it failed otherwise, or was cancelled."""
        self.in_flight -= 1
        self._wait_out()
        self._admit()

    def answered(self) -> None:
        self._pauses = 0
        self._refused_since = None
        if self._timer is None:
            self._closed = False
        if self.in_flight >= self.limit:
            self._grow()
        self.leave()

    def refused(self, cuts: int, retry_after: float | None) -> None:
        """A call was refused that was let in after so many `cuts`."""
        self.in_flight -= 1
        if self._refused_since is None:
            self._refused_since = asyncio.get_running_loop().time()
        if cuts == self._cuts:
            self._cut()
        else:
            # Let in before the limit was cut: one of the same crowd, which tells how many were too many.
            self._ceiling = max(1, min(self._ceiling, self.in_flight))
        self._closed = True
        if retry_after is not None:
            self._resume_in(retry_after * random.uniform(1.0, 1.1))
        self._wait_out()
        if self._hopeless():
            self._send_away()

    def pause(self, seconds: float) -> None:
        """Nothing starts for so long and a tenth more, at most: a fault of another kind asked for it."""
        self._closed = True
        self._resume_in(seconds * random.uniform(1.0, 1.1))
        if self._hopeless():
            self._send_away()

    def _grow(self) -> None:
        self._answers += 1
        if self.limit < self._ceiling:
            if self._cuts or self._answers % ANSWERS_A_STEP == 0:
                self.limit += 1
            return
        if self._answers >= self.limit * (1 if self._beyond else self._patience):
            self._answers = 0
            self._beyond = 2 * self._beyond or 1
            self.limit = self._ceiling = min(self._most, self.limit + self._beyond)

    def _cut(self) -> None:
        self._cuts += 1
        self._answers = 0
        self._ceiling = max(1, min(self._ceiling, self.in_flight))
        if self._beyond:
            self._beyond = 0
            self._patience = min(2 * self._patience, MOST_PATIENCE)
            self.limit = self._ceiling
        else:
            self.limit = max(1, self._ceiling // 2)

    def _wait_out(self) -> None:
        """With nothing in flight that could prove there is room again, only time can, and then one call."""
        if self._closed and self._timer is None and self.in_flight == 0:
            self.limit = 1
            self._resume_in(
                min(self._pause * 2.0**self._pauses, HOPELESS_SECONDS) * random.uniform(1.0, 1.25)
            )
            self._pauses += 1

    def _resume_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() >= at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self._resume)

    def _resume(self) -> None:
        self._timer = None
        self._closed = False
        self._admit()

    def _admit(self) -> None:
        while self._queue and self.in_flight < self.limit and not self._closed:
            turn = self._queue.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(self._cuts)

    def _hopeless(self) -> bool:
        if not self._closed:
            return False
        refused_for = 0.0
        # With calls in flight that were not refused, the provider may only be slow.
        if self._refused_since is not None and self.in_flight == 0:
            refused_for = asyncio.get_running_loop().time() - self._refused_since
        return max(refused_for, self._pause_left()) >= HOPELESS_SECONDS

    def _pause_left(self) -> float:
        return max(0.0, self._timer.when() - asyncio.get_running_loop().time()) if self._timer else 0.0

    def _no_room(self) -> NoRoom:
        return NoRoom(self._pause_left() or self._pause)

    def _send_away(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_exception(self._no_room())


class Slot:
    """One call's room, an async context manager."""

    __slots__ = ("_again", "_cuts", "_pace")

    def __init__(self, pace: Pace, again: bool) -> None:
        self._pace = pace
        self._again = again
        self._cuts = 0

    async def __aenter__(self) -> None:
        self._cuts = await self._pace.enter(self._again)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._pace.answered()
        elif isinstance(error, RateLimited):
            self._pace.refused(self._cuts, error.retry_after)
        else:
            self._pace.leave()
