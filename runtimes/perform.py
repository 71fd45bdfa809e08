"""One task, one sample, start to verdict: executed by its runtime, then graded apart from it."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import msgspec

from runtimes.contracts import Grade, Runtime, TaskSpec, Trajectory, Verifier
from runtimes.errors import BudgetSpent, InfrastructureError, ModelRefused, VerifierFault
from runtimes.grading.base import grade, needs_last_page
from runtimes.grading.clock import limited
from runtimes.services import Services
from runtimes.world import World

log = logging.getLogger(__name__)

REDACTED_ANSWER = "redacted_answer"
"""The key of a trajectory's metadata that says that its verdict saw more of the answer than is kept of it."""

GRADING_SECONDS = 300.0
"""A grader that works longer than this is stuck; its verdict is then an infrastructure failure.

It is a reward of 0 where it was running what the agent wrote.
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
            world = replace(world, user=task.user)
            verified = await graded(task.verifier, trajectory, services, world)
            if verified.success and world.trace is not None:
                world.trace.unlink(missing_ok=True)
            told = redactor.json(verified)
            if told.final_result != verified.final_result:
                told.metadata = {**told.metadata, REDACTED_ANSWER: True}
            return told
    except (ModelRefused, BudgetSpent):
        raise
    except Exception as error:
        fault = fault_of(error, trajectory)
    failed = msgspec.structs.replace(
        trajectory,
        outcome="infrastructure_error",
        success=False,
        error_type=fault.error_type,
        error_message=str(fault),
    )
    return redactor.json(failed)


def fault_of(error: Exception, trajectory: Trajectory) -> InfrastructureError:
    """What went wrong with a trajectory, as ours to mend; what nobody foresaw is logged."""
    if isinstance(error, InfrastructureError):
        return error
    log.error("%s sample %d: a fault of the platform", trajectory.task_id, trajectory.sample, exc_info=error)
    return InfrastructureError("system_error", f"{type(error).__name__}: {error}")


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
        async with limited(GRADING_SECONDS) as clock:
            return trajectory.graded(await grade(verifier, trajectory, services, world))
    except VerifierFault as error:
        return msgspec.structs.replace(
            trajectory.graded(None), verifier=verifier.kind, grade_reason=str(error)
        )
    except TimeoutError as error:
        if not clock.is_over:
            raise
        if clock.in_agents_code:
            reason = f"what was submitted took longer than {GRADING_SECONDS:g} s in all"
            return trajectory.graded(Grade(verifier=verifier.kind, reward=0.0, reason=reason))
        raise InfrastructureError(
            "timeout", f"The grader ({verifier.kind}) gave no verdict within {GRADING_SECONDS:g} s."
        ) from error
