"""MiniWoB's problems are solved through the agent loop from what an agent is shown; their pages judge it."""

from __future__ import annotations

import asyncio

import pytest

from runtimes.builtin import WebRuntime
from runtimes.contracts import TaskSpec, Trajectory
from runtimes.perform import perform
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.miniwob.tasks import TASKS, read_tasks
from sandbox import SandboxPool

from .policy_model import PolicyModel

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEEDS = range(3)


async def played(pool: BrowserPool, task: TaskSpec) -> Trajectory:
    """One problem, played by its policy and graded."""
    services = Services(PolicyModel(task.metadata["task"]), SandboxPool(slots=1), pool)
    return await perform(task, WebRuntime(services), services, sample=0, round="r")


async def test_every_problem_is_solved_from_instruction_and_observation(pool: BrowserPool) -> None:
    tasks = [task async for task in read_tasks(pool, TASKS, SEEDS)]
    trajectories = await asyncio.gather(*(played(pool, task) for task in tasks))
    missed = {
        t.task_id: f"{t.outcome}: {t.error_message or t.grade_reason}"
        for t in trajectories
        if t.outcome != "solved"
    }
    assert missed == {}, "\n".join(f"{k} {v}" for k, v in missed.items())
    assert len(trajectories) == 108
