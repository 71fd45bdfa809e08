"""The fan-out engine: a round's tasks of one type, many at a time, each result into the journal at once.

This is the local engine, a bounded number of episodes on one asyncio loop in the step's own process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import msgspec

from adp_resources.cancellation import run_stoppable
from adp_resources.collector import rare_collections
from adp_resources.dead_letters import DeadLetters, LetterKey, Try, failed_try
from adp_resources.journal import Journal
from runtimes.contracts import Runtime, TaskSpec, Trajectory
from runtimes.errors import BudgetSpent, InfrastructureError
from runtimes.llm.retry import RetryPolicy, Transient
from runtimes.registry import create_runtime
from runtimes.services import Services
from runtimes.template_cache import perform_or_redo

T = TypeVar("T")

Work = tuple[TaskSpec, int]
"""A task and the number of its sample."""

JOURNAL_THREADS = 4

MAX_FAILURES_IN_A_ROW = 10
"""So many infrastructure failures with no finished episode between them mean that going on is no use."""


@dataclass
class LocalFanOut:
    """Runs episodes in this process. `episodes` is how many are in flight, `retry` for our own failures."""

    services: Callable[[], Services]
    journal: Journal
    episodes: int
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def run(self, round: str, task_type: str, work: Sequence[Work], cancelled: Callable[[], bool]) -> str:
        """Execute, grade and journal `work`, in its order, until each has a row or no more is wanted.

        No more is wanted when the round's chain has as many solved trajectories as it is to have, or a budget
        is spent: then no episode is begun any more, those in flight come to their end, and what is given is
        why, empty but for a budget. A user's budget ends that user's tasks alone.

        `cancelled` is asked twice a second. Raises RoundCancelled when it says so or the process gets SIGINT
        or SIGTERM; PlatformError when going on is no use (a refused key, a full disk, a dead service).
        """
        with rare_collections():
            return run_stoppable(lambda: self._run(round, task_type, work), cancelled)

    async def _run(self, round: str, task_type: str, work: Sequence[Work]) -> str:
        acceptance = self.journal.acceptance(round)
        if not work or (acceptance and not acceptance.missing):
            return ""
        async with self.services() as services:
            runtime = create_runtime(task_type, services)
            finished = await asyncio.to_thread(self.journal.finished, round, task_type)
            samples = [*((task.task_id, sample) for task, sample in work), *finished]
            several = {task_id for task_id, sample in samples if sample}
            # Threads of their own: a database that is busy keeps no name from being looked up, nor a
            # cancellation from being noticed.
            with ThreadPoolExecutor(JOURNAL_THREADS, "journal") as threads:
                crew = _Crew(
                    self, round, runtime, services, deque(work), several, acceptance is not None, threads
                )
                try:
                    await crew.work_off()
                finally:
                    await runtime.cleanup()
        return crew.why_stopped


class _Spoiled(Transient):
    """An episode that our own failure spoiled."""

    def __init__(self, trajectory: Trajectory) -> None:
        self.trajectory = trajectory
        self.reason = (trajectory.error_message or "").rstrip(".")
        super().__init__(self.reason)


@dataclass
class _Crew:
    """The episodes of one run: what is left to begin, how the last ones ended, and which budgets are spent.

    `spent` says by whose limit, None for the round's, what the limit said. `several` are the tasks with more
    than one sample in the round.
    """

    engine: LocalFanOut
    round: str
    runtime: Runtime
    services: Services
    queue: deque[Work]
    several: set[str]
    has_target: bool
    threads: ThreadPoolExecutor
    spent: dict[str | None, str] = field(default_factory=dict)
    failures_in_a_row: list[LetterKey] = field(default_factory=list)
    writes: set[asyncio.Future[None]] = field(default_factory=set)

    async def work_off(self) -> None:
        running: set[asyncio.Task[None]] = set()
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    room = await self._wanted() - len(running)
                    for task, sample in self._next(room):
                        running.add(group.create_task(self._episode(task, sample)))
                    if not running:
                        return
                    _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        except BaseExceptionGroup as faults:
            raise faults.exceptions[0] from faults
        finally:
            await asyncio.gather(*self.writes, return_exceptions=True)
            if self._is_dead():
                # None of these is to blame: they are work of the round as before.
                letters = DeadLetters(self.engine.journal.database)
                await self._apart(letters.put_back, self.failures_in_a_row, "the round, which stopped")

    @property
    def why_stopped(self) -> str:
        """What the first limit said that kept work from being done; empty where none did."""
        return next(iter(self.spent.values()), "")

    def _next(self, room: int) -> Iterator[Work]:
        """As much work as there is room for, without that of users who have spent their budget."""
        while room > 0 and self.queue:
            task, sample = self.queue.popleft()
            if task.user not in self.spent:
                room -= 1
                yield task, sample

    async def _wanted(self) -> int:
        """How many episodes are to be in flight; no more than it should take to reach a target."""
        if None in self.spent:
            return 0
        if not self.has_target:
            return self.engine.episodes
        state = await self._apart(self.engine.journal.acceptance, self.round)
        return min(state.episodes_wanted if state else 0, self.engine.episodes)

    async def _episode(self, task: TaskSpec, sample: int) -> None:
        failed: list[Try] = []
        try:
            trajectory = await self._until_settled(task, sample, failed)
        except BudgetSpent as error:
            self.spent.setdefault(error.user, str(error))
            trajectory = self._given_up(task, sample, str(error))
        failure = trajectory.outcome == "infrastructure_error"
        if failure:
            self.failures_in_a_row.append((self.round, task.task_id, sample))
        elif trajectory.finished:
            self.failures_in_a_row.clear()
        await self._keep(trajectory, failed)
        if failure and self._is_dead():
            raise InfrastructureError(
                trajectory.error_type or "system_error",
                f"Stopped after {len(self.failures_in_a_row)} infrastructure failures in a row; the last, in "
                f"task {trajectory.task_id}: {trajectory.error_message}",
                "Mend the cause and run again: finished work is kept.",
            )

    def _apart(self, work: Callable[..., T], *args: object, **options: object) -> asyncio.Future[T]:
        """Do work on the database in a thread of ours."""
        return asyncio.get_running_loop().run_in_executor(self.threads, partial(work, *args, **options))

    async def _keep(self, trajectory: Trajectory, failed: list[Try]) -> None:
        """Journal it. A write that was begun goes on to its end, though this is cancelled meanwhile."""
        write = self._apart(self.engine.journal.write, trajectory, failed=failed)
        self.writes.add(write)
        write.add_done_callback(self.writes.discard)
        await asyncio.shield(write)

    def _is_dead(self) -> bool:
        """Whether so much failed with nothing finished between that a service must be dead."""
        return len(self.failures_in_a_row) >= MAX_FAILURES_IN_A_ROW

    async def _until_settled(self, task: TaskSpec, sample: int, failed: list[Try]) -> Trajectory:
        """Repeat the episode while the platform is at fault and tries are left; these go to `failed`.

        The last one's message says that it was the last.
        """

        async def once() -> Trajectory:
            trajectory = await perform_or_redo(
                task,
                self.runtime,
                self.services,
                sample=sample,
                round=self.round,
                only_sample=task.task_id not in self.several,
            )
            if trajectory.outcome == "infrastructure_error":
                failed.append(failed_try(trajectory))
                raise _Spoiled(trajectory)
            return trajectory

        try:
            return await self.engine.retry.run(once)
        except _Spoiled as last:
            said = f"{last.reason}. The last of {self.engine.retry.tries} tries."
            return msgspec.structs.replace(last.trajectory, error_message=said)

    def _given_up(self, task: TaskSpec, sample: int, reason: str) -> Trajectory:
        return Trajectory(
            task_id=task.task_id,
            runtime_id=self.runtime.runtime_id,
            task_type=task.task_type,
            round=self.round,
            sample=sample,
            outcome="cancelled",
            error_message=reason,
        )
