"""Whole episodes: the teacher in the real runtimes, with sandbox, browser and shop, and real graders."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from runtimes.builtin import AgentRuntime, CodeRuntime, ReasoningRuntime, WebRuntime, sample_seed
from runtimes.contracts import TaskSpec, Trajectory, task_from_json
from runtimes.llm.teacher import Teacher
from runtimes.llm.teacher.families import ALL_FAMILIES
from runtimes.llm.teacher.families.base import Slip
from runtimes.llm.teacher.policy import slip_of
from runtimes.perform import perform
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from sandbox import SandboxPool

EXAMPLES = Path(__file__).parents[4] / "examples"
RUNTIMES: tuple[type[AgentRuntime], ...] = (CodeRuntime, WebRuntime, ReasoningRuntime)


async def run_all(tasks: list[TaskSpec], error_rate: float, samples: list[int]) -> list[Trajectory]:
    """Every task once, several at a time, each with the sample number that goes with it."""
    async with Services(Teacher(error_rate), SandboxPool(), BrowserPool()) as services:
        runtimes = {runtime.task_type: runtime(services) for runtime in RUNTIMES}
        return await asyncio.gather(
            *(
                perform(task, runtimes[task.task_type], services, sample=sample, round="test")
                for task, sample in zip(tasks, samples, strict=True)
            )
        )


def bundled(name: str) -> list[TaskSpec]:
    return [task_from_json(line) for line in (EXAMPLES / name).read_bytes().splitlines()]


async def test_every_example_task_is_solved_by_a_teacher_that_does_not_slip() -> None:
    tasks = bundled("tasks.jsonl")
    assert {task.task_type for task in tasks} == {"code", "web", "reasoning"}
    trajectories = await run_all(tasks, 0.0, [0] * len(tasks))
    assert [(t.task_id, t.outcome, t.grade_reason) for t in trajectories if not t.success] == []


async def test_the_multi_tool_tasks_are_solved_by_way_of_all_their_tools() -> None:
    tasks = bundled("multi_tool_tasks.jsonl")
    assert len(tasks) == 12
    trajectories = await run_all(tasks, 0.0, [0] * len(tasks))
    assert [(t.task_id, t.outcome, t.grade_reason) for t in trajectories if not t.success] == []
    for task, trajectory in zip(tasks, trajectories, strict=True):
        used = {
            "browser" if step.action_type == "browser_action" else step.tool_name for step in trajectory.steps
        }
        assert used == set(task.expected_tools), task.task_id
        assert all(step.success for step in trajectory.steps), task.task_id


@pytest.mark.parametrize(("slip", "outcome"), [(Slip.RECOVERABLE, "solved"), (Slip.FATAL, "unsolved")])
async def test_every_family_mends_a_slip_it_can_see_and_fails_by_one_it_cannot(
    slip: Slip, outcome: str
) -> None:
    rng = random.Random(10)
    tasks = []
    for number, family in enumerate(ALL_FAMILIES):
        params = family.at_level(family.sample(rng), 1, rng)
        tasks.append(
            family.task(params, family.render(params, ("en", "zh")[number % 2], number), family.name)
        )
    trajectories = await run_all(tasks, 1.0, [_sample_with(slip, task) for task in tasks])
    assert {t.task_id: t.outcome for t in trajectories} == {family.name: outcome for family in ALL_FAMILIES}


def _sample_with(slip: Slip, task: TaskSpec) -> int:
    """The first sample in which an always slipping teacher makes that slip."""
    seeds = ((sample, sample_seed(0, task.task_id, sample)) for sample in count())
    return next(sample for sample, seed in seeds if slip_of(task.description, seed, 1.0) == slip)


@pytest.mark.parametrize(
    ("name", "options"),
    [("tasks.jsonl", ["--count", "36"]), ("multi_tool_tasks.jsonl", ["--multi-tool", "--count", "12"])],
)
def test_the_example_files_are_what_their_script_prints(name: str, options: list[str]) -> None:
    command = [sys.executable, str(EXAMPLES / "make_tasks.py"), "--seed", "7", *options]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    printed = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert printed.stdout == (EXAMPLES / name).read_bytes()
