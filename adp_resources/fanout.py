"""The fan-out engine: a round's tasks of one type, many at a time, each result into the journal at once.

This is the local engine, a bounded number of episodes on one asyncio loop in the step's own process.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from adp_resources.journal import Journal
from runtimes.contracts import Runtime, TaskSpec, Trajectory
from runtimes.errors import InfrastructureError, PlatformError
from runtimes.llm.retry import RetryPolicy
from runtimes.perform import perform
from runtimes.registry import create_runtime
from runtimes.services import Services

Work = tuple[TaskSpec, int]
"""A task and the number of its sample."""

CANCEL_POLL_SECONDS = 0.5
MAX_FAILURES_IN_A_ROW = 10
"""So many infrastructure failures with no finished episode between them mean that going on is no use."""


class RoundCancelled(PlatformError):
    """A person asked for the round to stop; what had finished is in the journal."""

    def __init__(self) -> None:
        super().__init__("The round was cancelled.", "Run it again to go on where it stopped.")


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
        if work:
            asyncio.run(self._run(round, task_type, work, cancelled))

    async def _run(
        self, round: str, task_type: str, work: Sequence[Work], cancelled: Callable[[], bool]
    ) -> None:
        stop = asyncio.Event()
        async with self.services() as services:
            crew = _Crew(self, round, create_runtime(task_type, services), services, deque(work))
            episodes = asyncio.create_task(crew.work_off(min(self.episodes, len(work))))
            watch = asyncio.create_task(_until(cancelled))
            waiting = asyncio.create_task(stop.wait())
            try:
                with _stopping_on_signals(stop):
                    await asyncio.wait({episodes, watch, waiting}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped = not episodes.done()
                for task in (episodes, watch, waiting):
                    task.cancel()
                await asyncio.gather(episodes, watch, waiting, return_exceptions=True)
                await crew.runtime.cleanup()
            if stopped:
                if not watch.cancelled() and (fault := watch.exception()):
                    raise fault
                raise RoundCancelled()
            episodes.result()


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
        """Repeat the episode while the platform is at fault and tries are left."""
        retry = self.engine.retry
        for attempt in range(retry.tries):
            trajectory = await perform(task, self.runtime, self.services, sample=sample, round=self.round)
            if trajectory.outcome != "infrastructure_error" or attempt + 1 == retry.tries:
                return trajectory, attempt + 1
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


async def _until(cancelled: Callable[[], bool]) -> None:
    while True:
        if await asyncio.to_thread(cancelled):
            return
        await asyncio.sleep(CANCEL_POLL_SECONDS)


@contextlib.contextmanager
def _stopping_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set `stop` while the block runs.

    Dagster's own handlers raise in whatever code is running, which asyncio would take for an episode's
    failure; they are put back on leaving.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
