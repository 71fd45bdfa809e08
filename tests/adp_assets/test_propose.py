"""Proposals and candidates: the same essences give the same ids, each task whole and with its lineage."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec

from adp_assets.distillation.essences import distil
from adp_assets.mutation.candidate import Proposal
from adp_assets.mutation.operators import COMPLEXITY_DOWN, COMPLEXITY_UP, PARAMETER, operators
from adp_assets.mutation.propose import (
    MutatedIdea,
    TaskDraft,
    orchestrate,
    proposals,
    propose,
)
from runtimes.contracts import Essence, Lineage, TaskSpec, Verifier
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from sandbox import SandboxPool
from tests.adp_assets.scripted import GOOD, Oracle
from tests.adp_assets.tasks import solved, task

SERVICES = Services(Oracle(), SandboxPool(slots=1), BrowserPool())
TOOLS = {"code": ["python_executor"], "web": ["browser"]}
ALL = [COMPLEXITY_DOWN, COMPLEXITY_UP, PARAMETER]
TASKS = {name: task(name) for name in ("a", "b", "c", "d", "e", "f", "g", "h")}


async def essences(tasks: dict[str, TaskSpec] = TASKS) -> list[Essence]:
    return (await distil([solved(name) for name in tasks], tasks, Oracle(), at_once=4)).essences


def test_the_built_in_operators_are_registered_by_name() -> None:
    assert [operator.name for operator in operators()] == ["complexity_down", "complexity_up", "parameter"]


async def test_proposals_are_the_same_at_every_call_and_take_the_operators_in_turn() -> None:
    found = await essences()
    first, second = (proposals(found, TASKS, ALL, 3) for _ in range(2))
    assert first == second
    assert [p.essence.task_id for p in first[:4]] == ["a", "a", "a", "b"]
    for start in range(0, len(first), 3):
        assert {p.operator.name for p in first[start : start + 3]} == {o.name for o in ALL}
    assert len({p.candidate_id for p in first}) == len(first)


async def test_one_proposal_an_essence_does_not_always_take_the_same_operator() -> None:
    chosen = Counter(p.operator.name for p in proposals(await essences(), TASKS, ALL, 1))
    assert len(chosen) > 1
    assert chosen.total() == len(TASKS)


async def test_an_operator_is_not_used_on_a_level_it_is_not_for() -> None:
    found = [msgspec.structs.replace(essence, complexity_level="simple") for essence in await essences()]
    used = {p.operator.name for p in proposals(found, TASKS, ALL, 3)}
    assert used == {operator.name for operator in ALL if "simple" not in operator.not_for}
    assert "complexity_down" not in used
    assert proposals(found, TASKS, [COMPLEXITY_DOWN], 3) == []


async def test_no_mutation_asked_for_means_no_proposal() -> None:
    assert proposals(await essences(), TASKS, ALL, 0) == []


async def test_a_candidate_is_a_whole_task_with_its_lineage() -> None:
    parent = task("a", priority=7, lineage=Lineage(root_id="seed", generation=2, source="/tasks.jsonl"))
    found = await essences({"a": parent})
    (asked,) = proposals(found, {"a": parent}, [PARAMETER], 1)
    (candidate,) = await propose([asked], Oracle(), SERVICES, TOOLS, at_once=1)
    made = candidate.task
    assert made is not None
    assert made.task_id == candidate.task_id == asked.candidate_id
    assert made.task_id.startswith("code-parameter-")
    assert (made.description, made.expected_tools, made.max_steps, made.priority) == (
        *("Multiply two numbers.", ["python_executor"], 7, 7),
    )
    assert made.verifier is not None
    assert made.verifier.spec == {"expected": 6}
    assert made.lineage == Lineage(
        root_id="seed", parents=("a",), operator="parameter", generation=3, source="/tasks.jsonl"
    )
    assert made.metadata["essence_id"] == found[0].essence_id


async def test_the_mutator_is_told_the_operator_the_essence_and_the_tools_there_are() -> None:
    (asked,) = proposals((await essences())[:1], TASKS, [COMPLEXITY_UP], 1)
    oracle = Oracle()
    await propose([asked], oracle, SERVICES, TOOLS, at_once=1)
    facts = {shape: json.loads(messages[1]["content"]) for shape, messages in oracle.asked}
    assert facts["MutatedIdea"]["instruction"] == COMPLEXITY_UP.instruction
    assert facts["MutatedIdea"]["essence"]["domain"] == "math_algorithms"
    assert facts["MutatedIdea"]["avoid"] == [TASKS["a"].description]
    assert facts["TaskDraft"]["available_tools"] == ["python_executor"]
    assert facts["TaskDraft"]["description"] == "Multiply two numbers."


async def test_a_proposal_that_gives_no_task_keeps_its_place_its_id_and_the_reason() -> None:
    def draft(facts: dict[str, Any]) -> str:
        return (
            "No."
            if facts["parent"]["description"] == TASKS["b"].description
            else json.dumps(GOOD["TaskDraft"])
        )

    asked = proposals((await essences())[:3], TASKS, [PARAMETER], 1)
    candidates = await propose(asked, Oracle(TaskDraft=draft), SERVICES, TOOLS, at_once=2)
    assert [candidate.task_id for candidate in candidates] == [each.candidate_id for each in asked]
    assert [candidate.task is None for candidate in candidates] == [False, True, False]
    assert "'No.'" in candidates[1].reason


async def test_the_same_questions_are_asked_with_the_same_seed() -> None:
    oracle = Oracle()
    await propose(proposals(await essences(), TASKS, ALL, 2), oracle, SERVICES, TOOLS, at_once=4)
    assert {sampling.seed for sampling in oracle.samplings} == {0}
    assert oracle.count() == {"MutatedIdea": 16, "TaskDraft": 16}


async def test_a_new_task_reaches_its_parents_hosts_only_and_takes_no_more_than_a_few_times_its_limits() -> (
    None
):
    shop = {"start_url": "http://shop.test/", "allowed_domains": ["shop.test"]}
    parent = msgspec.structs.replace(task("a"), constraints=shop, max_steps=10, timeout=60)
    (essence,) = await essences({"a": parent})
    proposal = Proposal(essence, parent, PARAMETER, 0)
    draft = TaskDraft(
        expected_tools=["browser"],
        verifier=Verifier("exact", {"expected": "1"}),
        constraints={"start_url": "http://10.0.0.1/", "allowed_domains": ["10.0.0.1"], "style": "short"},
        max_steps=1000,
        timeout=86_400,
    )
    made = orchestrate(proposal, MutatedIdea("Another."), draft)
    assert made.constraints == {**shop, "style": "short"}
    assert (made.max_steps, made.timeout) == (30, 180)

    within = msgspec.structs.replace(draft, constraints={"start_url": "http://shop.test/orders"})
    made = orchestrate(proposal, MutatedIdea("Another."), within)
    assert made.constraints["start_url"] == "http://shop.test/orders"
