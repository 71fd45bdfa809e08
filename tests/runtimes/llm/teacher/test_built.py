"""Tasks built of others, and puzzles: read back from their wording, varied, and solved by acting."""

from __future__ import annotations

import asyncio
import random
from itertools import count
from typing import Any

import msgspec
import pytest

from runtimes.builtin import AgentRuntime, CodeRuntime, ReasoningRuntime, WebRuntime, sample_seed
from runtimes.contracts import TaskSpec, Trajectory, Verifier
from runtimes.llm.teacher import Teacher
from runtimes.llm.teacher.families import BUILT, SIMPLE, recognise
from runtimes.llm.teacher.families.base import Family, Slip
from runtimes.llm.teacher.families.mend import Mend, MendFamily
from runtimes.llm.teacher.families.pairs import PairFamily
from runtimes.llm.teacher.families.parts import Part
from runtimes.llm.teacher.families.puzzles import PUZZLES
from runtimes.llm.teacher.policy import slip_of
from runtimes.llm.teacher.wording import LANGUAGES
from runtimes.perform import perform
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from sandbox import SandboxPool

from .episodes import evaluate, run_python

FAMILIES: tuple[Family[Any], ...] = (*PUZZLES, *BUILT)
RUNTIMES: tuple[type[AgentRuntime], ...] = (CodeRuntime, WebRuntime, ReasoningRuntime)
BY_NAME = {family.name: family for family in SIMPLE}
OF_CODE = [family for family in FAMILIES if family.task_type == "code"]
each_family = pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])


@each_family
def test_a_description_says_all_that_the_task_is(family: Family[Any]) -> None:
    rng = random.Random(2)
    for turn in range(12):
        params = family.sample(rng)
        for language in LANGUAGES:
            description = family.render(params, language, rng.randrange(family.variety))
            assert recognise(description) == (family, params, language), (turn, description)


@each_family
def test_variations_are_of_the_family_and_move_the_level_as_they_should(family: Family[Any]) -> None:
    rng = random.Random(5)
    for _ in range(10):
        params = family.sample(rng)
        level = family.level(params)
        found = {
            level: family.neighbour(params, rng),
            level + 1: family.harder(params, rng),
            level - 1: family.easier(params, rng),
        }
        assert found[level] != params
        for wanted, other in found.items():
            if other is not None:
                assert family.level(other) == wanted
                assert recognise(family.render(other, "en", 1)) == (family, other, "en")


def test_parts_count_their_levels_together() -> None:
    rng = random.Random(1)
    story, orders = BY_NAME["story"], BY_NAME["orders"]
    parts = [Part(one, one.at_level(one.sample(rng), 2, rng)) for one in (story, story)]
    pairs = next(one for one in BUILT if one.name == "figures_pair")
    assert isinstance(pairs, PairFamily)
    pair = pairs.joined(*parts)
    assert pair is not None
    assert pairs.level(pair) == 4
    assert pairs.joined(parts[0], Part(orders, orders.sample(rng))) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [("cart", "cart"), ("balances", "newsletters"), ("contact", "contact")],
)
def test_tasks_that_would_undo_each_other_are_no_pair(one: str, other: str) -> None:
    rng = random.Random(3)
    web = next(family for family in BUILT if family.name == "web_pair")
    assert isinstance(web, PairFamily)
    first, second = BY_NAME[one], BY_NAME[other]
    for _ in range(5):
        assert web.joined(Part(first, first.sample(rng)), Part(second, second.sample(rng))) is None


@pytest.mark.parametrize(
    "family", [one for one in FAMILIES if one.task_type == "code"], ids=lambda one: one.name
)
def test_the_solution_of_a_built_code_task_passes_its_cases(family: Family[Any]) -> None:
    rng = random.Random(6)
    for _ in range(3):
        params = family.sample(rng)
        cases = family.verifier(params).spec["cases"]
        values = evaluate(family.solution(params), [case["call"] for case in cases])
        assert values == [case["expected"] for case in cases]


@pytest.mark.parametrize("family", PUZZLES, ids=lambda one: one.name)
def test_a_puzzles_program_prints_one_answer(family: Family[Any]) -> None:
    rng = random.Random(7)
    for _ in range(3):
        printed = run_python("python_executor", {"code": family.solution(family.sample(rng))})
        assert printed.startswith("status: ok\nstdout:\n")
        assert printed.count("\n") == 3


def with_answer(family: Family[Any], params: Any, task: TaskSpec) -> TaskSpec:
    """The task with the expected value that its solution prints, which its family leaves to the platform."""
    assert task.verifier is not None
    verifier = task.verifier
    if verifier.kind not in ("numeric", "exact", "json") or "expected" in verifier.spec:
        return task
    said = run_python("python_executor", {"code": family.solution(params)}).split("stdout:\n")[1].strip()
    value = said if verifier.kind == "exact" else msgspec.json.decode(said)
    verifier = Verifier(verifier.kind, {**verifier.spec, "expected": value})
    return msgspec.structs.replace(task, verifier=verifier)


async def run_all(tasks: list[TaskSpec], error_rate: float, samples: list[int]) -> list[Trajectory]:
    async with Services(Teacher(error_rate), SandboxPool(), BrowserPool()) as services:
        runtimes = {runtime.task_type: runtime(services) for runtime in RUNTIMES}
        return await asyncio.gather(
            *(
                perform(task, runtimes[task.task_type], services, sample=sample, round="test")
                for task, sample in zip(tasks, samples, strict=True)
            )
        )


def drawn(seed: int) -> list[TaskSpec]:
    rng = random.Random(seed)
    tasks = []
    for number, family in enumerate(FAMILIES):
        params = family.sample(rng)
        description = family.render(params, ("en", "zh")[number % 2], number)
        tasks.append(with_answer(family, params, family.task(params, description, family.name)))
    return tasks


def mended(family: Family[Any]) -> TaskSpec:
    """A task to mend a program that was written for a built one."""
    rng = random.Random(7)
    mend = next(one for one in BUILT if isinstance(one, MendFamily))
    params = Mend(Part(family, family.sample(rng)), "def wrong():\n    return None")
    description = mend.render(params, "en", 3)
    assert recognise(description) == (mend, params, "en")
    return with_answer(family, params.part.params, mend.task(params, description, f"mended {family.name}"))


async def test_every_family_is_solved_by_acting() -> None:
    tasks = drawn(21) + [mended(one) for one in OF_CODE if not isinstance(one, MendFamily)]
    trajectories = await run_all(tasks, 0.0, [0] * len(tasks))
    assert [(t.task_id, t.outcome, t.grade_reason) for t in trajectories if not t.success] == []


@pytest.mark.parametrize(("slip", "outcome"), [(Slip.RECOVERABLE, "solved"), (Slip.FATAL, "unsolved")])
async def test_a_slip_in_a_part_ends_as_it_does_in_a_task_of_its_own(slip: Slip, outcome: str) -> None:
    tasks = [
        task for task in drawn(22) if task.task_id == "web_bound" or "browser" not in task.expected_tools
    ]
    assert len(tasks) > 6
    seeds = [
        next(n for n in count() if slip_of(task.description, sample_seed(0, task.task_id, n), 1.0) == slip)
        for task in tasks
    ]
    trajectories = await run_all(tasks, 1.0, seeds)
    ends = {t.task_id: (t.outcome, t.grade_reason) for t in trajectories}
    assert {name: end for name, end in ends.items() if end[0] != outcome} == {}
