"""Which trajectories give an essence, and why the others do not."""

from __future__ import annotations

from adp_assets.distillation.eligible import eligible
from runtimes.contracts import Trajectory
from tests.adp_assets.tasks import solved, step


def failed(task_id: str, worked: int = 3, reward: float = 0.0, sample: int = 0) -> Trajectory:
    steps = [step(n, "python_executor", "{}", "ok") for n in range(worked)]
    return solved(task_id, steps=steps, outcome="unsolved", success=False, reward=reward, sample=sample)


def chosen(*trajectories: Trajectory, judged: bool = False) -> list[tuple[str, int]]:
    return [(t.task_id, t.sample) for t in eligible(trajectories, judged=judged).trajectories]


def test_what_no_verifier_judged_and_what_we_spoiled_teach_nothing() -> None:
    outcomes = ["unverified", "infrastructure_error", "cancelled"]
    found = eligible(solved(outcome, outcome=outcome, success=False) for outcome in outcomes)
    assert found.trajectories == []
    assert found.left_out == {f"it is {outcome}": 1 for outcome in outcomes}


def test_a_task_gives_its_shortest_success_and_of_equally_short_ones_the_first_sample() -> None:
    steps = [step(n, "python_executor", "{}", "ok") for n in range(3)]
    tries = [
        solved("b", sample=2, steps=steps[:1]),
        solved("b", sample=1, steps=steps[:1]),
        solved("b", sample=0, steps=steps),
        solved("a", sample=1),
    ]
    assert chosen(*tries) == [("a", 1), ("b", 1)]
    assert eligible(tries).left_out == {"another try of its task teaches more": 2}


def test_a_failure_teaches_only_where_the_task_was_never_solved() -> None:
    assert chosen(failed("a"), solved("a", sample=1)) == [("a", 1)]
    assert chosen(failed("a")) == [("a", 0)]


def test_of_failures_the_one_that_came_farthest_teaches_most() -> None:
    assert chosen(failed("a", worked=9), failed("a", worked=2, reward=0.5, sample=1)) == [("a", 1)]
    assert chosen(failed("a", worked=2), failed("a", worked=4, sample=1)) == [("a", 1)]


def test_a_failure_that_did_nothing_is_not_instructive() -> None:
    found = eligible([failed("a", worked=1)])
    assert found.trajectories == []
    assert found.left_out == {"it failed before 2 steps worked": 1}


def test_what_only_a_judge_vouches_for_teaches_where_that_is_allowed() -> None:
    assert chosen(solved("a", judged=True)) == []
    assert chosen(solved("a", judged=True), judged=True) == [("a", 0)]
