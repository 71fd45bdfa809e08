"""Essences: which trajectories give one, what the model is shown, and what is done with a bad reply."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adp_assets.distillation.essences import FIRST_STEPS, LAST_STEPS, SHOWN_OBSERVATION, distil, facts_of
from runtimes.contracts import Essence
from runtimes.errors import ModelUnavailable
from tests.adp_assets.scripted import GOOD, Oracle
from tests.adp_assets.tasks import solved, step, task

ESSENCE = json.dumps(GOOD["EssenceDraft"])


async def test_an_essence_says_where_it_comes_from_and_is_the_same_at_every_run() -> None:
    tasks = {"a": task("a"), "b": task("b", task_type="web")}
    runs = [await distil([solved("a"), solved("b")], tasks, Oracle(), at_once=2) for _ in range(2)]
    assert runs[0] == runs[1]
    first, second = runs[0].essences
    assert (first.task_id, first.root_id, first.round, first.task_type) == ("a", "a", "round-0001", "code")
    assert second.task_type == "web"
    assert (first.domain, first.complexity_level, first.kind) == ("math_algorithms", "medium", "success")
    assert first.success_pattern.key_steps == ["run"]
    assert first.essence_id != second.essence_id


def test_an_essence_has_the_fields_that_other_tools_read() -> None:
    names = set(Essence.__struct_fields__)
    assert {"task_type", "domain", "query", "complexity_level", "success_pattern"} <= names


def test_the_model_is_shown_neither_the_verifier_nor_long_observations() -> None:
    trajectory = solved("a", steps=[step(1, "python_executor", "{}", "x" * 5_000)])
    facts = facts_of(trajectory, task("a"))
    assert "verifier" not in json.dumps(facts)
    assert len(facts["steps"][0]["observation"]) == SHOWN_OBSERVATION


def test_of_a_long_trajectory_the_model_is_shown_the_beginning_and_the_end() -> None:
    steps = [step(n, "python_executor", "{}", "ok") for n in range(1, 101)]
    facts = facts_of(solved("a", steps=steps), task("a"))
    shown = [each["step_id"] for each in facts["steps"]]
    assert shown == [*range(1, FIRST_STEPS + 1), *range(101 - LAST_STEPS, 101)]
    assert facts["steps_left_out"] == 100 - FIRST_STEPS - LAST_STEPS


async def test_an_essence_names_its_evidence_its_verifier_and_the_skills_used() -> None:
    distilled = await distil([solved("a")], {"a": task("a")}, Oracle(), at_once=1)
    (essence,) = distilled.essences
    assert (essence.evidence, essence.verifier, essence.skills) == (
        ["1", "2"],
        "numeric",
        ["python_executor"],
    )


async def test_an_essence_says_what_the_whole_episode_took_whatever_the_model_names() -> None:
    reply = json.dumps({**GOOD["EssenceDraft"], "evidence": [1]})
    oracle = Oracle(EssenceDraft=lambda facts: reply)
    distilled = await distil([solved("a", total_duration=12.5)], {"a": task("a")}, oracle, at_once=1)
    assert (distilled.essences[0].steps, distilled.essences[0].seconds) == (2, 12.5)


async def test_evidence_that_the_model_makes_up_is_left_out() -> None:
    reply = json.dumps({**GOOD["EssenceDraft"], "evidence": [1, "nine", 77]})
    distilled = await distil(
        [solved("a")], {"a": task("a")}, Oracle(EssenceDraft=lambda facts: reply), at_once=1
    )
    assert distilled.essences[0].evidence == ["1"]


async def test_an_instructive_failure_is_asked_about_as_one_and_marked() -> None:
    failed = solved(
        "a", outcome="unsolved", success=False, reward=0.0, final_result="41", error_message="wrong"
    )
    oracle = Oracle()
    distilled = await distil([failed], {"a": task("a")}, oracle, at_once=1)
    assert distilled.essences[0].kind == "failure"
    ((_, messages),) = oracle.asked
    assert "why an AI agent failed" in messages[0]["content"]
    facts = json.loads(messages[1]["content"])
    assert (facts["answer"], facts["error"]) == ("41", "wrong")


async def test_a_reply_that_is_no_essence_skips_its_trajectory_with_the_reason_and_no_other() -> None:
    def reply(facts: dict[str, Any]) -> str:
        return '{"domain": "d"}' if facts["task"]["description"] == "Odd." else ESSENCE

    tasks = {"a": task("a"), "odd": task("odd", description="Odd.")}
    oracle = Oracle(EssenceDraft=reply)
    distilled = await distil([solved("a"), solved("odd")], tasks, oracle, at_once=2)
    assert [essence.task_id for essence in distilled.essences] == ["a"]
    assert distilled.skipped.keys() == {"odd"}
    assert "missing required field `query`" in distilled.skipped["odd"]
    assert len(oracle.asked) == 3, "the odd one was asked twice"


async def test_no_more_questions_than_allowed_are_in_flight() -> None:
    tasks = {f"t{n}": task(f"t{n}") for n in range(9)}
    oracle = Oracle()
    await distil([solved(name) for name in tasks], tasks, oracle, at_once=3)
    assert oracle.most_in_flight == 3


async def test_an_unreachable_model_stops_the_stage() -> None:
    def down(facts: dict[str, Any]) -> str:
        raise ModelUnavailable("No server.")

    with pytest.raises(ModelUnavailable):
        await distil([solved("a")], {"a": task("a")}, Oracle(EssenceDraft=down), at_once=1)
