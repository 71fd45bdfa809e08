"""Every operator with the built-in teacher: a whole task whose verifier knows its reference from nothing."""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from adp_assets.languages import language_of
from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.operators import (
    BUILT_IN,
    COMPLEXITY_DOWN,
    COMPLEXITY_UP,
    CONSTRAINT,
    DEPTH,
    DOMAIN_SHIFT,
    ERROR_INJECTION,
    LANGUAGE,
    PARAMETER,
    PUZZLE,
    TOOL_EXTENSION,
    WIDTH,
    operators,
)
from adp_assets.mutation.operators.base import Operator
from adp_assets.mutation.operators.bugs import bugs_in
from adp_assets.mutation.propose import propose
from runtimes.contracts import Grade, Lineage, TaskSpec, Trajectory, Verifier
from runtimes.grading.base import grade
from runtimes.grading.python_tests import source_of
from runtimes.llm.teacher import Teacher
from runtimes.llm.teacher.families import SIMPLE, recognise
from runtimes.services import Services
from runtimes.world import World
from tests.adp_assets.mutation.essences import essence, proposal
from tests.adp_assets.scripted import Oracle
from tests.adp_assets.tasks import task

pytestmark = pytest.mark.asyncio(loop_scope="package")

ALL_TOOLS = [
    *("python_executor", "browser", "shell_executor", "file_operations", "data_analysis", "llm_reasoning"),
    "complete_task",
]
TOOLS = dict.fromkeys(("code", "web", "reasoning"), ALL_TOOLS)
FAMILIES = {family.name: family for family in SIMPLE}


def seed(name: str, language: Any = "en", number: int = 1) -> TaskSpec:
    """A task of a family, of the second level."""
    family, rng = FAMILIES[name], random.Random(f"{name}{number}")
    params = family.at_level(family.sample(rng), 2, rng)
    return family.task(params, family.render(params, language), f"{name}-{number}").named()


async def made(
    services: Services, operator: Operator, parent: TaskSpec, partner: TaskSpec | None = None
) -> Candidate:
    asked = proposal(parent, operator, partner)
    (candidate,) = await propose([asked], Teacher(0.0), services, TOOLS, at_once=1)
    return candidate


async def graded(services: Services, verifier: Verifier, answer: str) -> Grade:
    return await grade(
        verifier, Trajectory(task_id="t", runtime_id="", final_result=answer), services, World()
    )


GOOD: Sequence[tuple[Operator, TaskSpec, TaskSpec | None]] = (
    (PARAMETER, seed("windows"), None),
    (PARAMETER, seed("orders", "zh"), None),
    (COMPLEXITY_UP, seed("cipher"), None),
    (COMPLEXITY_DOWN, seed("budget", "zh"), None),
    (CONSTRAINT, seed("ranking"), None),
    (CONSTRAINT, seed("product_facts"), None),
    (CONSTRAINT, seed("story", "zh"), None),
    (DOMAIN_SHIFT, seed("grouping", "zh"), None),
    (DOMAIN_SHIFT, seed("category_cost"), None),
    (LANGUAGE, seed("statement"), None),
    (LANGUAGE, seed("multiples", "zh"), None),
    (DEPTH, seed("windows", "zh"), None),
    (DEPTH, seed("orders", number=3), None),
    (DEPTH, seed("story"), None),
    (WIDTH, seed("cipher"), seed("ranking")),
    (WIDTH, seed("balances"), seed("orders")),
    (WIDTH, seed("story"), seed("list_puzzle")),
    (WIDTH, seed("story"), seed("budget")),
    (TOOL_EXTENSION, seed("story"), None),
    (ERROR_INJECTION, seed("multiples"), None),
    (ERROR_INJECTION, seed("grouping", "zh"), None),
    (PUZZLE, seed("budget", "zh"), None),
    (PUZZLE, seed("story"), None),
)


@pytest.mark.parametrize(
    ("operator", "parent", "partner"),
    GOOD,
    ids=[f"{operator.name}-{parent.task_id}" for operator, parent, _ in GOOD],
)
async def test_a_candidates_verifier_passes_its_reference_and_nothing_empty(
    services: Services, operator: Operator, parent: TaskSpec, partner: TaskSpec | None
) -> None:
    candidate = await made(services, operator, parent, partner)
    new = candidate.task
    assert new is not None, candidate.reason
    assert new.verifier is not None
    assert (await graded(services, new.verifier, candidate.reference)).solved
    assert not (await graded(services, new.verifier, "")).solved
    assert set(new.expected_tools) <= set(ALL_TOOLS)
    assert language_of(new.description) == new.metadata["language"]
    assert recognise(new.description) is not None
    assert new.lineage.operator == operator.name
    assert candidate.reference


STATES: Sequence[tuple[Operator, TaskSpec, TaskSpec | None]] = (
    (CONSTRAINT, seed("contact"), None),
    (DOMAIN_SHIFT, seed("cart", "zh"), None),
    (WIDTH, seed("cart"), seed("contact")),
    (TOOL_EXTENSION, seed("cart"), None),
)


@pytest.mark.parametrize(
    ("operator", "parent", "partner"), STATES, ids=[f"{operator.name}" for operator, _, _ in STATES]
)
async def test_what_the_worlds_state_decides_does_not_pass_untouched(
    services: Services, operator: Operator, parent: TaskSpec, partner: TaskSpec | None
) -> None:
    candidate = await made(services, operator, parent, partner)
    assert candidate.task is not None, candidate.reason
    assert candidate.task.verifier is not None
    assert not (await graded(services, candidate.task.verifier, candidate.reference or "Done.")).solved


async def test_every_built_in_operator_is_tried_here_and_has_a_name_of_its_own() -> None:
    assert {operator for operator, _, _ in GOOD} == set(BUILT_IN)
    assert len({operator.name for operator in BUILT_IN}) == len(BUILT_IN)
    assert {operator.name for operator in operators()} <= {operator.name for operator in BUILT_IN}


@pytest.mark.parametrize(
    ("operator", "parent", "partner", "reason"),
    [
        (DOMAIN_SHIFT, seed("windows"), None, "about one subject only"),
        (TOOL_EXTENSION, seed("grouping"), None, "no sub-task whose tools"),
        (DEPTH, seed("newsletters"), None, "no number of the task"),
        (WIDTH, seed("balances"), seed("newsletters"), "do not go together"),
        (
            PARAMETER,
            TaskSpec(task_type="code", description="Write a poem.", task_id="poem"),
            None,
            "new to me",
        ),
    ],
)
async def test_what_the_teacher_cannot_make_is_refused_with_a_reason(
    services: Services, operator: Operator, parent: TaskSpec, partner: TaskSpec | None, reason: str
) -> None:
    candidate = await made(services, operator, parent, partner)
    assert candidate.task is None
    assert reason in candidate.reason


async def test_a_planted_bug_makes_the_tests_fail_and_the_solution_makes_them_pass(
    services: Services,
) -> None:
    candidate = await made(services, ERROR_INJECTION, seed("ranking"))
    assert candidate.task is not None, candidate.reason
    assert candidate.task.verifier is not None
    shown = source_of(candidate.task.description)
    assert shown != candidate.reference
    assert not (await graded(services, candidate.task.verifier, shown)).solved
    assert candidate.task.metadata["change"].startswith("a bug: ")


async def test_code_to_mend_is_not_broken_again_and_needs_cases() -> None:
    parent = seed("ranking")
    mending = msgspec.structs.replace(parent, lineage=Lineage(operator="error_injection"))
    assert ERROR_INJECTION.fits(essence(parent), parent)
    assert not ERROR_INJECTION.fits(essence(parent), mending)
    assert not ERROR_INJECTION.fits(essence(seed("story")), seed("story"))


@pytest.mark.parametrize(
    ("solution", "reason"),
    [
        ("def other():\n    return 1", "does not pass the parent's own tests"),
        ("while True:\n    pass", "does not pass the parent's own tests: the submitted code ended with"),
    ],
)
async def test_no_bug_is_planted_in_what_does_not_pass(
    services: Services, solution: str, reason: str
) -> None:
    parent = seed("multiples")
    assert parent.verifier is not None
    spec = {**parent.verifier.spec, "limits": {"wall_seconds": 1, "cpu_seconds": 1}}
    parent = task("p", verifier=Verifier("python_tests", spec))
    told = Oracle(CodeSolution=lambda facts: json.dumps({"solution": solution}))
    (candidate,) = await propose([proposal(parent, ERROR_INJECTION)], told, services, TOOLS, at_once=1)
    assert candidate.task is None
    assert reason in candidate.reason


async def test_a_puzzle_asks_no_model_and_is_the_same_again(services: Services) -> None:
    oracle = Oracle()
    asked = proposal(seed("story"), PUZZLE)
    first, second = [(await propose([asked], oracle, services, TOOLS, at_once=1))[0] for _ in range(2)]
    assert oracle.asked == []
    assert first == second
    assert first.task is not None
    assert first.task.metadata["prompt_version"] == ""


async def test_bugs_are_one_change_each_and_the_same_for_the_same_seed() -> None:
    source = "def f(x):\n    return max(x) - 1 if x and len(x) > 2 else 0"
    bugs = list(bugs_in(source, random.Random(1)))
    assert bugs == list(bugs_in(source, random.Random(1)))
    assert len({bug.source for bug in bugs}) == len(bugs) >= 6
    assert all(bug.source != source for bug in bugs)
    assert {bug.change for bug in bugs} >= {"max(x) -> min(x)", "x and len(x) > 2 -> x or len(x) > 2"}
    assert list(bugs_in("this is no Python", random.Random(1))) == []


async def test_a_bug_is_only_written_out_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[ast.AST] = []
    unparse = ast.unparse
    monkeypatch.setattr(ast, "unparse", lambda node: (written.append(node), unparse(node))[1])
    source = "\n".join(f"def f{n}(a, b):\n    return a + b * {n}" for n in range(500))
    bug = next(bugs_in(source, random.Random(1)))
    assert bug.source != source
    assert sum(isinstance(node, ast.Module) for node in written) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return a + b" + " + 0" * 400, "nested too deeply"),
        ("return a + b" + "\n" * 6_000, "6,0"),
    ],
)
async def test_no_bug_is_planted_in_what_is_too_deep_or_too_long(
    services: Services, body: str, reason: str
) -> None:
    parent = task("p", verifier=Verifier("python_tests", {"cases": [{"call": "add(2, 3)", "expected": 5}]}))
    solution = json.dumps({"solution": f"def add(a, b):\n    {body}"})
    told = Oracle(CodeSolution=lambda facts: solution)
    (candidate,) = await propose([proposal(parent, ERROR_INJECTION)], told, services, TOOLS, at_once=1)
    assert candidate.task is None
    assert reason in candidate.reason
    assert "fault of the platform" not in candidate.reason


async def test_a_bug_is_planted_in_a_long_chain_of_conditions(services: Services) -> None:
    cases = [{"call": "[f(n) for n in range(180)]", "expected": [2 * n for n in range(180)]}]
    parent = task("p", verifier=Verifier("python_tests", {"cases": cases}))
    chain = "".join(f"    elif a=={n}: return {n + n}\n" for n in range(1, 180))
    solution = json.dumps({"solution": f"def f(a):\n    if a==0: return 0\n{chain}"})
    told = Oracle(CodeSolution=lambda facts: solution)
    (candidate,) = await propose([proposal(parent, ERROR_INJECTION)], told, services, TOOLS, at_once=1)
    assert candidate.task is not None, candidate.reason
    assert candidate.task.metadata["change"].startswith("a bug: ")
