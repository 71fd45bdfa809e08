"""The fan-out engine: a round's tasks of one type, many at a time, each result into the journal at once.

This is the local engine, a bounded number of episodes on one asyncio loop in the step's own process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from adp_resources.cancellation import run_stoppable
from adp_resources.journal import Journal
from runtimes.contracts import Runtime, TaskSpec, Trajectory
from runtimes.errors import InfrastructureError
from runtimes.llm.retry import RetryPolicy
from runtimes.perform import perform
from runtimes.registry import create_runtime
from runtimes.services import Services

Work = tuple[TaskSpec, int]
"""A task and the number of its sample."""

MAX_FAILURES_IN_A_ROW = 10
"""So many infrastructure failures with no finished episode between them mean that going on is no use."""


@dataclass
class LocalFanOut:
    """Runs episodes in this process. `episodes` is how many are in flight, `retry` for our own failures."""

    services: Callable[[], Services]
    journal: Journal
    episodes: int
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def run(self, round: str, task_type: str, work: Sequence[Work], cancelled: Callable[[], bool]) -> None:
        """Execute, grade and journal all of `work`; returns when each has a row.

        `cancelled` is asked twice a second. Raises RoundCancelled when it says so or the process gets SIGINT
        or SIGTERM; PlatformError when going on is no use (a refused key, a full disk, a dead service).
        """
        run_stoppable(lambda: self._run(round, task_type, work), cancelled)

    async def _run(self, round: str, task_type: str, work: Sequence[Work]) -> None:
        if not work:
            return
        async with self.services() as services:
            crew = _Crew(self, round, create_runtime(task_type, services), services, deque(work))
            try:
                await crew.work_off(min(self.episodes, len(work)))
            finally:
                await crew.runtime.cleanup()


@dataclass
class _Crew:
    """The episodes in flight of one run: they share one queue and one count of failures in a row."""

    engine: LocalFanOut
    round: str
    runtime: Runtime
    services: Services
    queue: deque[Work]
    failures_in_a_row: int = 0

    async def work_off(self, episodes: int) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(episodes):
                    group.create_task(self._member())
        except BaseExceptionGroup as faults:
            raise faults.exceptions[0] from faults

    async def _member(self) -> None:
        while self.queue:
            task, sample = self.queue.popleft()
            trajectory, attempts = await self._until_settled(task, sample)
            await asyncio.to_thread(self.engine.journal.write, trajectory, attempts=attempts)
            self._judge(trajectory)

    async def _until_settled(self, task: TaskSpec, sample: int) -> tuple[Trajectory, int]:
        """Repeat the episode while the platform is at fault and tries are left; the last one says it is."""
        retry = self.engine.retry
        for attempt in range(retry.tries):
            trajectory = await perform(task, self.runtime, self.services, sample=sample, round=self.round)
            if trajectory.outcome != "infrastructure_error":
                return trajectory, attempt + 1
            if attempt + 1 == retry.tries:
                said = f"{(trajectory.error_message or '').rstrip('.')}. The last of {retry.tries} tries."
                return msgspec.structs.replace(trajectory, error_message=said), attempt + 1
            await asyncio.sleep(retry.wait(attempt, None))
        raise ValueError("a retry policy needs at least one try")

    def _judge(self, trajectory: Trajectory) -> None:
        if trajectory.outcome != "infrastructure_error":
            self.failures_in_a_row = 0
            return
        self.failures_in_a_row += 1
        if self.failures_in_a_row >= MAX_FAILURES_IN_A_ROW:
            raise InfrastructureError(
                trajectory.error_type or "system_error",
                f"Stopped after {self.failures_in_a_row} infrastructure failures in a row; the last, in task "
                f"{trajectory.task_id}: {trajectory.error_message}",
                "Mend the cause and run again: finished work is kept.",
            )
