"""One task, one sample, start to verdict: executed by its runtime, then graded apart from it."""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec

from runtimes.contracts import Grade, Runtime, TaskSpec, Trajectory, Verifier
from runtimes.errors import BudgetSpent, InfrastructureError, ModelRefused, VerifierFault
from runtimes.grading.base import grade, needs_last_page
from runtimes.services import Services
from runtimes.world import World

log = logging.getLogger(__name__)

GRADING_SECONDS = 300.0
"""A grader that takes longer than this is stuck; its verdict is then an infrastructure failure.

What an agent can make it wait for has to end before, with a reward of 0.
"""


async def perform(
    task: TaskSpec, runtime: Runtime, services: Services, *, sample: int, round: str
) -> Trajectory:
    """The graded trajectory of one sample, without secrets, which only the verdict was allowed to see.

    Whatever goes wrong on our side is its outcome, not an exception.
    Only ModelRefused and BudgetSpent are raised: no further try could go better.
    """
    trajectory = Trajectory(
        task_id=task.task_id,
        runtime_id=runtime.runtime_id,
        task_type=task.task_type,
        round=round,
        sample=sample,
        created_at=time.time(),
    )
    redactor = services.redactor
    try:
        keep_page = task.verifier is not None and needs_last_page(task.verifier)
        episode = runtime.episode(task.for_agent(), sample=sample, round=round, keep_page=keep_page)
        async with episode as (trajectory, world):
            redactor = redactor.knowing(world.session)
            verified = await graded(task.verifier, trajectory, services, world)
            if verified.success and world.trace is not None:
                world.trace.unlink(missing_ok=True)
            return redactor.json(verified)
    except (ModelRefused, BudgetSpent):
        raise
    except InfrastructureError as error:
        fault = error
    except Exception as error:
        log.exception("%s sample %d: a fault of the platform", task.task_id, sample)
        fault = InfrastructureError("system_error", f"{type(error).__name__}: {error}")
    failed = msgspec.structs.replace(
        trajectory,
        outcome="infrastructure_error",
        success=False,
        error_type=fault.error_type,
        error_message=str(fault),
    )
    return redactor.json(failed)


async def graded(
    verifier: Verifier | None, trajectory: Trajectory, services: Services, world: World
) -> Trajectory:
    """The trajectory with its verdict; unverified without a verifier, or where that one is at fault.

    Raises InfrastructureError where nobody can say for a fault of ours, and where a task was not solved while
    tools failed: that is no fair try.
    """
    verified = await _verified(verifier, trajectory, services, world)
    if verified.outcome == "unsolved" and (lost := verified.metadata.get("unavailable_tools")):
        raise InfrastructureError(
            "system_error",
            f"It was not solved, and tools failed meanwhile: {', '.join(lost)}.",
            "See `adp tools test`.",
        )
    return verified


async def _verified(
    verifier: Verifier | None, trajectory: Trajectory, services: Services, world: World
) -> Trajectory:
    if verifier is None or not trajectory.finished:
        return trajectory.graded(None)
    if trajectory.error_type is not None:
        reason = f"the episode did not come to its end: {trajectory.error_message}"
        return trajectory.graded(Grade(verifier=verifier.kind, reward=0.0, reason=reason))
    try:
        async with asyncio.timeout(GRADING_SECONDS):
            return trajectory.graded(await grade(verifier, trajectory, services, world))
    except VerifierFault as error:
        return msgspec.structs.replace(
            trajectory.graded(None), verifier=verifier.kind, grade_reason=str(error)
        )
    except TimeoutError as error:
        raise InfrastructureError(
            "timeout", f"The grader ({verifier.kind}) gave no verdict within {GRADING_SECONDS:g} s."
        ) from error
