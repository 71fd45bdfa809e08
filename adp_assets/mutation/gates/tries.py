"""Doing a thing again while the platform is at fault, and giving up when that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from adp_resources.fanout import MAX_FAILURES_IN_A_ROW
from runtimes.errors import BudgetSpent, InfrastructureError, ModelRefused
from runtimes.llm.retry import RetryPolicy

T = TypeVar("T")


@dataclass
class Outages:
    """What the gates of one step share: how often a thing is tried, and what made going on no use.

    That is a spent budget, a refused key, or as many failures in a row as stop a round; from then on nothing
    is begun, and whatever was to be done raises the same.
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    stopped: BudgetSpent | InfrastructureError | None = None
    _in_a_row: int = 0

    async def outlast(self, work: Callable[[], Awaitable[T]]) -> T:
        """The first result. Raises BudgetSpent, ModelRefused, and InfrastructureError after every try."""
        for attempt in range(self.retry.tries):
            if self.stopped is not None:
                raise self.stopped
            try:
                result = await work()
            except (BudgetSpent, ModelRefused) as error:
                self.stopped = error
                raise
            except InfrastructureError as error:
                if attempt + 1 == self.retry.tries:
                    self._count(error)
                    raise
                await asyncio.sleep(self.retry.wait(attempt, None))
            else:
                self._in_a_row = 0
                return result
        raise ValueError("a retry policy needs at least one try")

    def _count(self, error: InfrastructureError) -> None:
        self._in_a_row += 1
        if self._in_a_row >= MAX_FAILURES_IN_A_ROW:
            self.stopped = error
