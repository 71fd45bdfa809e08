"""New verdicts on trajectories that are there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtimes.contracts import Grade, Trajectory, Verifier, trajectory_from_json, trajectory_to_json
from runtimes.grading.base import VerifierKind
from runtimes.perform import REDACTED_ANSWER
from runtimes.regrading import GRADES, Regraded, count_votes, regrade
from runtimes.services import Services
from tests.runtimes.scripted import ScriptedModel, finishes, services

pytestmark = pytest.mark.asyncio(loop_scope="module")

STRICT = Verifier("numeric", {"expected": 42})
LOOSE = Verifier("numeric", {"expected": 42, "tolerance": 2})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened() -> AsyncIterator[Services]:
    model = ScriptedModel(AssertionError("no agent and no model may be asked"))
    async with services(model) as opened:
        yield opened


def sample(number: int = 0, answer: str = "41", **fields: Any) -> Trajectory:
    """One that was graded by STRICT before."""
    trajectory = Trajectory(
        task_id="t", runtime_id="r", round="r1", sample=number, final_result=answer, **fields
    )
    return trajectory.graded(Grade(verifier="numeric", reward=float(answer == "42"), reason="as it was"))


async def one(trajectory: Trajectory, verifier: Verifier | None, opened: Services) -> Regraded:
    (found,) = await regrade([trajectory], verifier, opened)
    return found


async def test_a_changed_verifier_gives_a_new_verdict_and_the_old_one_is_kept(opened: Services) -> None:
    found = await one(sample(), LOOSE, opened)
    assert found.changed
    assert (found.after.outcome, found.after.success, found.after.reward) == ("solved", True, 1.0)
    (old,) = found.after.metadata[GRADES]
    assert (old["outcome"], old["reward"], old["reason"]) == ("unsolved", 0.0, "as it was")
    assert trajectory_from_json(trajectory_to_json(found.after)) == found.after
    back = await one(found.after, STRICT, opened)
    assert [grade["outcome"] for grade in back.after.metadata[GRADES]] == ["unsolved", "solved"]


async def test_grading_twice_by_the_same_verifier_changes_nothing_more(opened: Services) -> None:
    once = (await one(sample(), LOOSE, opened)).after
    twice = await one(once, LOOSE, opened)
    assert not twice.changed
    assert twice.after is once


async def test_what_was_unverified_gets_a_verdict_and_no_history(opened: Services) -> None:
    trajectory = sample().graded(None)
    found = await one(trajectory, LOOSE, opened)
    assert found.after.outcome == "solved"
    assert GRADES not in found.after.metadata


@pytest.mark.parametrize(
    ("verifier", "why"),
    [
        (None, "no verifier"),
        (Verifier("gone"), "no verifier of kind 'gone'"),
        (Verifier("page_state", {"at": "last_page", "locator": "h1", "expected": "x"}), "page"),
        (Verifier("page_state", {"url": "http://shop.test/", "locator": "h1", "expected": "x"}), "page"),
        (
            Verifier(
                "any_of",
                {
                    "parts": [
                        {"kind": "numeric", "spec": {"expected": 41}},
                        {
                            "kind": "page_state",
                            "spec": {"at": "last_page", "read": "url", "expected": "http://a.b/"},
                        },
                    ]
                },
            ),
            "page",
        ),
    ],
)
async def test_what_cannot_be_graded_again_keeps_its_verdict_and_says_why(
    opened: Services, verifier: Verifier | None, why: str
) -> None:
    found = await one(sample(), verifier, opened)
    assert not found.changed
    assert not found.failed
    assert why in found.kept


async def test_an_episode_that_we_spoiled_is_not_graded(opened: Services) -> None:
    spoiled = sample()
    spoiled.outcome = "infrastructure_error"
    found = await one(spoiled, LOOSE, opened)
    assert (found.changed, found.failed) == (False, False)
    assert found.kept


async def test_an_episode_that_failed_stays_without_reward_whatever_its_answer(opened: Services) -> None:
    failed = sample(error_type="timeout", error_message="too late")
    found = await one(failed, LOOSE, opened)
    assert found.after.outcome == "unsolved"


async def test_one_whose_tools_failed_never_becomes_a_failure(opened: Services) -> None:
    found = await one(sample(answer="42", metadata={"unavailable_tools": ["web_search"]}), LOOSE, opened)
    assert found.after.success
    other = Verifier("numeric", {"expected": 7})
    found = await one(sample(answer="42", metadata={"unavailable_tools": ["web_search"]}), other, opened)
    assert found.after.success
    assert "tools failed meanwhile: web_search" in found.kept


async def test_an_answer_that_is_not_kept_as_it_was_keeps_its_verdict(opened: Services) -> None:
    found = await one(sample(answer="[redacted:x]", metadata={REDACTED_ANSWER: True}), LOOSE, opened)
    assert (found.changed, found.failed) == (False, False)
    assert "secret" in found.kept
    said = await one(sample(answer="[redacted:x] 42"), STRICT, opened)
    assert said.after.success, "what an agent writes keeps nothing from being graded"


async def test_a_verifier_that_breaks_on_one_sample_leaves_the_others_theirs(
    opened: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fragile(VerifierKind[Any]):
        def read(self, spec: dict[str, Any]) -> Any:
            return spec

        async def grade(self, spec: Any, trajectory: Trajectory, *_: Any) -> tuple[float, str]:
            return {"41": (1.0, "it is there")}[trajectory.final_result]

    monkeypatch.setattr("runtimes.plugins.load", lambda group: {"fragile": Fragile})
    broke, fine = await regrade([sample(answer="43"), sample(1)], Verifier("fragile"), opened)
    assert (broke.failed, broke.changed) == (True, False)
    assert "KeyError" in broke.kept
    assert fine.after.outcome == "solved"


async def test_a_grader_that_we_failed_keeps_the_verdict_and_says_so() -> None:
    async with services(ScriptedModel(finishes())) as closed:
        await closed.sandboxes.close()
        cases = Verifier("python_tests", {"cases": [{"call": "f()", "expected": 1}]})
        found = await one(sample(answer="def f(): return 1"), cases, closed)
    assert (found.changed, found.failed) == (False, True)
    assert "sandbox" in found.kept


async def test_votes_are_counted_over_all_samples_that_came_to_their_end(opened: Services) -> None:
    agreement = Verifier("agreement", {"samples": 3})
    samples = [sample(number, answer).graded(None) for number, answer in enumerate(("7", "7", "8", "7"))]
    samples[3].outcome = "infrastructure_error"
    found = await regrade(samples, agreement, opened)
    assert [each.after.outcome for each in found] == ["solved", "solved", "unsolved", "infrastructure_error"]
    again = await regrade([each.after for each in found], agreement, opened)
    assert not any(each.changed for each in again)
    assert count_votes(samples, STRICT) is None


async def test_a_verdict_by_votes_is_taken_back_where_the_majority_is_gone(opened: Services) -> None:
    agreement = Verifier("agreement", {"samples": 3})
    samples = [sample(number, answer).graded(None) for number, answer in enumerate(("7", "7", "8"))]
    counted = [each.after for each in await regrade(samples, agreement, opened)]
    found = await regrade([*counted, sample(3, "8").graded(None)], agreement, opened)
    assert {each.after.outcome for each in found} == {"unverified"}
    assert "no answer" in found[0].after.grade_reason
