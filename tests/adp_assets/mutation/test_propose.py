"""Proposals and candidates: the same essences give the same ids, each task whole and with its lineage."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec
import pytest

from adp_assets.mutation.candidate import Proposal
from adp_assets.mutation.drafts import MutatedIdea, TaskDraft
from adp_assets.mutation.operators import (
    BUILT_IN,
    COMPLEXITY_DOWN,
    COMPLEXITY_UP,
    ERROR_INJECTION,
    LANGUAGE,
    PARAMETER,
    WIDTH,
)
from adp_assets.mutation.operators.base import Sketch, Workshop
from adp_assets.mutation.operators.structure import Width
from adp_assets.mutation.operators.values import Parameter
from adp_assets.mutation.orchestrate import orchestrate
from adp_assets.mutation.propose import proposals, propose
from runtimes.contracts import Essence, Lineage, TaskSpec, Verifier
from runtimes.services import Services
from tests.adp_assets.mutation.essences import essence, proposal
from tests.adp_assets.scripted import GOOD, Oracle
from tests.adp_assets.tasks import task

pytestmark = pytest.mark.asyncio(loop_scope="package")

TOOLS = {"code": ["python_executor"], "web": ["browser"]}
ALL = [COMPLEXITY_DOWN, COMPLEXITY_UP, PARAMETER]
TASKS = {name: task(name) for name in ("a", "b", "c", "d", "e", "f", "g", "h")}
ESSENCES = [essence(each) for each in TASKS.values()]


def with_reply(**changes: Any) -> str:
    return json.dumps({**GOOD["TaskDraft"], **changes})


async def test_proposals_are_the_same_at_every_call_and_take_the_operators_in_turn() -> None:
    first, second = (proposals(ESSENCES, TASKS, ALL, 3) for _ in range(2))
    assert first == second
    assert [p.essence.task_id for p in first[:4]] == ["a", "a", "a", "b"]
    for start in range(0, len(first), 3):
        assert {p.operator.name for p in first[start : start + 3]} == {o.name for o in ALL}
    assert len({p.candidate_id for p in first}) == len(first)


async def test_one_proposal_an_essence_does_not_always_take_the_same_operator() -> None:
    chosen = Counter(p.operator.name for p in proposals(ESSENCES, TASKS, ALL, 1))
    assert len(chosen) > 1
    assert chosen.total() == len(TASKS)


async def test_an_operator_is_not_used_where_it_does_not_fit() -> None:
    simple = [msgspec.structs.replace(each, complexity_level="simple") for each in ESSENCES]
    used = {p.operator.name for p in proposals(simple, TASKS, ALL, 3)}
    assert used == {"complexity_up", "parameter"}
    assert proposals(simple, TASKS, [COMPLEXITY_DOWN], 3) == []
    assert proposals(simple, TASKS, [ERROR_INJECTION], 3) == [], "their verifier has no cases"


async def test_a_failure_goes_only_to_operators_that_make_sense_of_one() -> None:
    failure = msgspec.structs.replace(ESSENCES[0], kind="failure")
    used = {p.operator.name for p in proposals([failure], TASKS, list(BUILT_IN), len(BUILT_IN))}
    assert used == {"complexity_down", "parameter"}


async def test_no_mutation_asked_for_means_no_proposal() -> None:
    assert proposals(ESSENCES, TASKS, ALL, 0) == []


def of_root(name: str, root: str, **fields: Any) -> tuple[TaskSpec, Essence]:
    made = task(name, lineage=Lineage(root_id=root), **fields)
    return made, essence(made)


async def test_a_partner_is_of_the_same_type_and_of_another_root_where_there_is_one() -> None:
    found = [
        of_root("a", "one"),
        of_root("b", "one"),
        of_root("c", "two"),
        of_root("d", "three", task_type="web"),
    ]
    tasks = {made.task_id: made for made, _ in found}
    asked = proposals([own for _, own in found], tasks, [WIDTH], 1)
    partners = {each.parent.task_id: each.partner.task_id for each in asked if each.partner}
    assert partners["a"] == partners["b"] == "c"
    assert partners["c"] in "ab"
    assert "d" not in partners
    assert asked == proposals([own for _, own in found], tasks, [WIDTH], 1)


async def test_relatives_are_partners_where_nobody_else_is_left_and_built_tasks_are_none() -> None:
    first, own = of_root("a", "one")
    second, other = of_root("b", "one")
    (asked,) = proposals([own, other], {"a": first, "b": second}, [WIDTH], 1)[:1]
    assert asked.parents == ("a", "b")
    built = msgspec.structs.replace(second, metadata={"parts": 2})
    assert proposals([own, other], {"a": first, "b": built}, [WIDTH], 1) == []


class Counting(Width):
    """The merging operator, and how often it was asked whether it fits."""

    asked = 0

    def fits(self, essence: Essence, parent: TaskSpec) -> bool:
        self.asked += 1
        return super().fits(essence, parent)


async def test_partners_of_many_essences_are_found_in_one_go() -> None:
    tasks = {made.task_id: made for made, _ in (of_root(f"t{n}", f"root{n % 7}") for n in range(300))}
    operator = Counting()
    asked = proposals([essence(each) for each in tasks.values()], tasks, [operator], 1)
    assert all(each.partner and each.partner.lineage.root_id != each.essence.root_id for each in asked)
    assert len({each.partner.task_id for each in asked if each.partner}) > 100
    assert operator.asked <= 2 * len(tasks)


async def test_most_pairs_stay_as_they_were_whoever_else_is_there() -> None:
    tasks = {f"t{n}": task(f"t{n}") for n in range(40)}
    essences = [essence(each) for each in tasks.values()]
    before = {each.parents for each in proposals(essences[:-1], tasks, [WIDTH], 1)}
    after = {each.parents for each in proposals(list(reversed(essences)), tasks, [WIDTH], 1)}
    assert len(before - after) == 1


async def test_a_candidate_is_a_whole_task_with_its_lineage(services: Services) -> None:
    parent = task("a", priority=7, lineage=Lineage(root_id="seed", generation=2, source="/tasks.jsonl"))
    asked = proposal(parent, PARAMETER)
    (candidate,) = await propose([asked], Oracle(), services, TOOLS, at_once=1)
    made = candidate.task
    assert made is not None, candidate.reason
    assert made.task_id == candidate.task_id == asked.candidate_id
    assert made.task_id.startswith("code-parameter-")
    assert (made.description, made.expected_tools, made.max_steps, made.priority) == (
        *("Multiply two numbers.", ["python_executor"], 7, 7),
    )
    assert made.verifier == Verifier("numeric", {"expected": 6.0})
    assert candidate.reference == "6"
    assert made.lineage == Lineage(
        root_id="seed", parents=("a",), operator="parameter", generation=3, source="/tasks.jsonl"
    )
    assert made.metadata == {
        "essence_id": asked.essence.essence_id,
        "operator_version": "1",
        "prompt_version": "2",
        "change": "another operation",
        "domain": "math_algorithms",
        "language": "en",
    }


async def test_the_mutator_is_told_the_operator_the_essence_the_tools_and_what_was_rejected(
    services: Services,
) -> None:
    oracle = Oracle()
    asked = proposal(TASKS["a"], COMPLEXITY_UP)
    rejected = {"a": ["Refused before."], "b": ["Of another root."]}
    await propose([asked], oracle, services, TOOLS, at_once=1, avoid=rejected)
    facts = {shape: json.loads(messages[1]["content"]) for shape, messages in oracle.asked}
    assert facts["MutatedIdea"]["instruction"] == COMPLEXITY_UP.instruction
    assert facts["MutatedIdea"]["essence"]["domain"] == "math_algorithms"
    assert facts["MutatedIdea"]["language"] == "en"
    assert facts["MutatedIdea"]["avoid"] == [TASKS["a"].description, "Refused before."]
    assert facts["TaskDraft"]["available_tools"] == ["python_executor"]
    assert facts["TaskDraft"]["description"] == "Multiply two numbers."


async def test_the_language_asked_for_is_kept_for_the_gate_that_compares_it(services: Services) -> None:
    oracle = Oracle()
    (candidate,) = await propose([proposal(TASKS["a"], LANGUAGE)], oracle, services, TOOLS, at_once=1)
    assert json.loads(oracle.asked[0][1][1]["content"])["language"] == "zh"
    assert candidate.task is not None
    assert candidate.task.metadata["language"] == "zh"


async def test_a_proposal_that_gives_no_task_keeps_its_place_its_id_and_the_reason(
    services: Services,
) -> None:
    def draft(facts: dict[str, Any]) -> str:
        return "No." if facts["parent"]["description"] == TASKS["b"].description else with_reply()

    asked = proposals(ESSENCES[:3], TASKS, [PARAMETER], 1)
    candidates = await propose(asked, Oracle(TaskDraft=draft), services, TOOLS, at_once=2)
    assert [candidate.task_id for candidate in candidates] == [each.candidate_id for each in asked]
    assert [candidate.task is None for candidate in candidates] == [False, True, False]
    assert "'No.'" in candidates[1].reason


BAD: dict[str, tuple[str, str]] = {
    "JSON with comments": (
        '{"expected_tools": [], // none\n "verifier": {"kind": "numeric"}, "solution": "print(6)"}',
        "malformed",
    ),
    "no solution": (with_reply(solution=""), "a model's word is no answer"),
    "a claim its solution contradicts": (
        with_reply(verifier={"kind": "numeric", "spec": {"expected": 7}}),
        "contradictory: the draft claims that the answer is 7, and its solution gives 6",
    ),
    "contradictory tests": (
        with_reply(
            verifier={"kind": "python_tests", "spec": {"cases": [{"call": "f(2)", "expected": 5}]}},
            solution="def f(n):\n    return n * n",
        ),
        "contradictory: the draft claims that f(2) is 5, and its solution gives 4",
    ),
    "an unknown kind": (
        with_reply(verifier={"kind": "magic"}),
        "no solution can be run for a verifier of kind 'magic'",
    ),
    "a judge": (
        with_reply(verifier={"kind": "rubric", "spec": {"rubric": "good?"}}),
        "no solution can be run for a verifier of kind 'rubric'",
    ),
}


@pytest.mark.parametrize(("reply", "reason"), BAD.values(), ids=BAD.keys())
async def test_a_bad_draft_is_refused_with_its_reason_and_the_others_go_on(
    services: Services, reply: str, reason: str
) -> None:
    def draft(facts: dict[str, Any]) -> str:
        return reply if facts["parent"]["description"] == TASKS["b"].description else with_reply()

    asked = proposals(ESSENCES[:3], TASKS, [PARAMETER], 1)
    candidates = await propose(asked, Oracle(TaskDraft=draft), services, TOOLS, at_once=2)
    assert [candidate.task is None for candidate in candidates] == [False, True, False]
    assert reason in candidates[1].reason


class Broken(Parameter):
    """An operator that fails as nobody foresaw."""

    async def make(self, proposal: Proposal, workshop: Workshop) -> Sketch:
        raise ZeroDivisionError("nobody thought of this")


async def test_an_operator_that_fails_costs_its_own_candidate_only(services: Services) -> None:
    asked = [proposal(TASKS["a"], PARAMETER), proposal(TASKS["b"], Broken())]
    first, second = await propose(asked, Oracle(), services, TOOLS, at_once=2)
    assert first.task is not None
    assert second.task is None
    assert "ZeroDivisionError: nobody thought of this" in second.reason


async def test_a_reply_that_is_no_unicode_gives_text_that_is(services: Services) -> None:
    said = '{"description": "Multiply two numbers\ud800", "change": "x"}'
    (made,) = await propose(
        [proposal(TASKS["a"], PARAMETER)],
        Oracle(MutatedIdea=lambda facts: said),
        services,
        TOOLS,
        at_once=1,
    )
    assert made.task is not None, made.reason
    assert made.task.description == "Multiply two numbers?"


async def test_what_is_for_a_gate_to_refuse_goes_through(services: Services) -> None:
    unknown = Oracle(TaskDraft=lambda facts: with_reply(expected_tools=["magic"]))
    asked = proposals(ESSENCES[:3], TASKS, [PARAMETER], 1)
    candidates = await propose(asked, unknown, services, TOOLS, at_once=2)
    made = [candidate.task for candidate in candidates if candidate.task]
    assert [each.expected_tools for each in made] == [["magic"]] * 3
    assert len({each.description for each in made}) == 1, "the same task every time"


async def test_the_same_questions_are_asked_with_the_same_seed(services: Services) -> None:
    oracle = Oracle()
    await propose(proposals(ESSENCES, TASKS, [PARAMETER], 1), oracle, services, TOOLS, at_once=4)
    assert {sampling.seed for sampling in oracle.samplings} == {0}
    assert oracle.count() == {"MutatedIdea": 8, "TaskDraft": 8}


SHOP = {"start_url": "http://shop.test/", "allowed_domains": ["shop.test"]}


def drafted(**fields: Any) -> Sketch:
    base: dict[str, Any] = {
        "expected_tools": ["browser"],
        "verifier": Verifier("exact"),
        "solution": "print('1')",
        "constraints": {
            "start_url": "http://10.0.0.1/",
            "allowed_domains": ["10.0.0.1"],
            "limits": {"memory_mb": 4096},
            "style": "short",
        },
        "max_steps": 1000,
        "timeout": 86_400,
    }
    return Sketch(MutatedIdea("Another."), TaskDraft(**{**base, **fields}))


async def test_a_new_task_reaches_its_parents_hosts_only_and_takes_no_more_than_a_few_times_its_limits(
    services: Services,
) -> None:
    parent = msgspec.structs.replace(task("a"), constraints=SHOP, max_steps=10, timeout=60)
    made = (await orchestrate(proposal(parent, PARAMETER), drafted(), services)).task
    assert made is not None
    assert made.constraints == {**SHOP, "style": "short"}
    assert (made.max_steps, made.timeout) == (30, 180)

    within = drafted(constraints={"start_url": "http://shop.test/orders"})
    made = (await orchestrate(proposal(parent, PARAMETER), within, services)).task
    assert made is not None
    assert made.constraints["start_url"] == "http://shop.test/orders"


async def test_pages_of_a_task_whose_parents_open_none_are_the_shops(services: Services) -> None:
    parent = task("a", expected_tools=["python_executor"])
    made = (await orchestrate(proposal(parent, PARAMETER), drafted(), services)).task
    assert made is not None
    assert made.constraints == {"allowed_domains": [], "style": "short"}
    made = (await orchestrate(proposal(parent, PARAMETER), drafted(expected_tools=[]), services)).task
    assert made is not None
    assert "allowed_domains" not in made.constraints  # code has no pages by itself
    sealed = drafted(expected_tools=["python_executor"])
    made = (await orchestrate(proposal(parent, PARAMETER), sealed, services)).task
    assert made is not None
    assert made.constraints == {"style": "short"}


@pytest.mark.parametrize("url", ["http://[::1/", "http://sh\u2100op.test/"])
async def test_a_start_address_that_cannot_be_read_is_refused_and_the_others_go_on(
    services: Services, url: str
) -> None:
    parents = [task(name, constraints=SHOP) for name in ("a", "b")]
    replies = iter([with_reply(constraints={"start_url": url}), with_reply()])
    told = Oracle(TaskDraft=lambda facts: next(replies))
    asked = [proposal(parent, PARAMETER) for parent in parents]
    bad, good = await propose(asked, told, services, TOOLS, at_once=1)
    assert bad.task is None
    assert "the start_url" in bad.reason
    assert good.task is not None


async def test_a_merged_task_reaches_what_either_parent_reaches_and_has_both_their_limits(
    services: Services,
) -> None:
    first = msgspec.structs.replace(task("a"), constraints=SHOP, max_steps=10, timeout=60)
    second = msgspec.structs.replace(
        task("b", lineage=Lineage(root_id="b", generation=4)),
        constraints={"allowed_domains": ["docs.test"]},
        max_steps=5,
        timeout=100,
    )
    made = (await orchestrate(proposal(first, WIDTH, second), drafted(), services)).task
    assert made is not None
    assert made.constraints["allowed_domains"] == ["shop.test", "docs.test"]
    assert made.constraints["start_url"] == "http://shop.test/"
    assert (made.max_steps, made.timeout) == (45, 480)
    assert (made.lineage.parents, made.lineage.generation, made.lineage.root_id) == (("a", "b"), 5, "a")
    assert made.metadata["parts"] == 2


async def test_hosts_that_a_parent_leaves_open_do_not_open_those_of_the_other(services: Services) -> None:
    first = task("a", constraints={"allowed_domains": None}, expected_tools=["browser"])
    second = task("b", constraints={"allowed_domains": ["docs.test"]}, expected_tools=["browser"])
    made = (await orchestrate(proposal(first, WIDTH, second), drafted(), services)).task
    assert made is not None
    assert made.constraints["allowed_domains"] == ["docs.test"]


async def test_a_task_gets_the_steps_that_its_solved_relative_needed(services: Services) -> None:
    parent = msgspec.structs.replace(task("a"), max_steps=10)
    long = essence(parent, evidence=[str(step) for step in range(9)])
    made = (await orchestrate(Proposal(long, parent, PARAMETER, 0), drafted(max_steps=2), services)).task
    assert made is not None
    assert made.max_steps == 18


async def test_a_task_gets_room_for_what_its_relatives_whole_episode_took(services: Services) -> None:
    parent = msgspec.structs.replace(task("a"), max_steps=20, timeout=300)
    took = essence(parent, evidence=["7"], steps=12, seconds=40.3)
    cut = drafted(max_steps=1, timeout=1)
    made = (await orchestrate(Proposal(took, parent, PARAMETER, 0), cut, services)).task
    assert made is not None
    assert (made.max_steps, made.timeout) == (24, 81)
    most = essence(parent, steps=700, seconds=90_000.0)
    made = (await orchestrate(Proposal(most, parent, PARAMETER, 0), cut, services)).task
    assert made is not None
    assert (made.max_steps, made.timeout) == (60, 900)


async def test_the_same_lesson_is_the_same_question_however_long_its_episode_took(services: Services) -> None:
    asked: list[Any] = []

    def noted(facts: dict[str, Any]) -> str:
        asked.append(facts)
        return json.dumps(GOOD["MutatedIdea"])

    for seconds in (1.5, 2.5):
        lesson = essence(TASKS["a"], steps=3, seconds=seconds)
        told = Oracle(MutatedIdea=noted)
        await propose([Proposal(lesson, TASKS["a"], PARAMETER, 0)], told, services, TOOLS, at_once=1)
    assert asked[0] == asked[1]
