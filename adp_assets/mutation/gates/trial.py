"""The gate of trial: real episodes of the candidate, at least one of which must solve it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType

from adp_assets.intake.pool import Known
from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import Finding, Gate
from adp_assets.mutation.gates.tries import Outages
from adp_resources.trials import FIRST_SAMPLE, Trials
from runtimes.contracts import Runtime, TaskSpec, Trajectory
from runtimes.errors import InfrastructureError, ModelRefused
from runtimes.perform import perform
from runtimes.registry import create_runtime
from runtimes.services import Services

TRIVIAL = "trivial: "
"""How the reason begins where every trial solved it."""


class TrialGate(Gate):
    """`samples` episodes a candidate, none of which is a round's; an async context manager.

    At most `at_once` are in flight. An episode that finished is never run again, also not after a kill. A
    candidate that lacks one of its episodes, by a failure of ours or a spent budget, is undecided.
    """

    name = "trial"

    def __init__(
        self,
        services: Services,
        trials: Trials,
        *,
        round: str,
        samples: int,
        at_once: int,
        outages: Outages,
    ) -> None:
        self._services = services
        self._trials = trials
        self._round = round
        self._samples = samples
        self._places = asyncio.Semaphore(at_once)
        self._outages = outages
        self._runtimes: dict[str, Runtime] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> TrialGate:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def judge(self, task: TaskSpec, candidate: Candidate) -> Finding:
        if not self._samples:
            return Finding(True, "not tried: TRIAL_SAMPLES is 0")
        known = await asyncio.to_thread(self._trials.finished, self._round, task)
        done = {trajectory.sample for trajectory in known}
        wanted = range(FIRST_SAMPLE, FIRST_SAMPLE + self._samples)
        missing = [sample for sample in wanted if sample not in done]
        found = await asyncio.gather(
            *(self._tried(task, sample) for sample in missing), return_exceptions=True
        )
        faults = [each for each in found if isinstance(each, BaseException)]
        if faults:
            raise next((fault for fault in faults if isinstance(fault, ModelRefused)), faults[0])
        return verdict_of([*known, *(each for each in found if isinstance(each, Trajectory))])

    async def _tried(self, task: TaskSpec, sample: int) -> Trajectory:
        """One finished episode. Raises what `Outages.outlast` does."""
        async with self._places:
            return await self._outages.outlast(lambda: self._episode(task, sample))

    async def _episode(self, task: TaskSpec, sample: int) -> Trajectory:
        runtime = self._runtime(task.task_type)
        ended = await perform(task, runtime, self._services, sample=sample, round=self._round)
        await asyncio.to_thread(self._trials.write, task, ended)
        if not ended.finished:
            raise InfrastructureError(ended.error_type or "system_error", ended.error_message or "")
        return ended

    def _runtime(self, task_type: str) -> Runtime:
        if task_type not in self._runtimes:
            runtime = self._runtimes[task_type] = create_runtime(task_type, self._services)
            self._stack.push_async_callback(runtime.cleanup)
        return self._runtimes[task_type]


def verdict_of(trials: list[Trajectory]) -> Finding:
    """What finished trials say of a task: that it can be solved, and how easily."""
    solved = sum(trial.success for trial in trials)
    measured = Known(expected_pass=solved / len(trials))
    said = f"solved in {solved} of {len(trials)} trials"
    if not solved:
        return Finding(False, f"{said}: {_why(trials[0])}", measured)
    return Finding(True, f"{TRIVIAL}{said}" if solved == len(trials) else said, measured)


def _why(trial: Trajectory) -> str:
    return trial.error_message or trial.grade_reason or trial.outcome
