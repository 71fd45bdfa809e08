"""Problems: a task once, with its verifier and how hard it was found to be."""

from __future__ import annotations

from adp_assets.curation.render import training_messages
from adp_assets.curation.shapes.problems import problems
from tests.adp_assets.curation.rows import PYTHON, asked, frame, row
from tests.adp_assets.tasks import solved, task


def test_a_task_is_a_problem_once_with_what_its_verified_episodes_came_to() -> None:
    kept = [solved("t", tools=[PYTHON], sample=sample) for sample in range(2)]
    tried = frame(
        *(row(each) for each in kept),
        row(solved("t", sample=2, outcome="unsolved", reward=0.2)),
        row(solved("t", sample=3, outcome="unverified", verified=False, reward=None)),
        row(solved("t", sample=4, outcome="infrastructure_error", verified=False, reward=None)),
    )
    (problem,) = problems([frame(row(kept[0])), frame(row(kept[1]))], tried)
    assert problem.id == "t"
    assert problem.prompt == training_messages(kept[0])[:2]
    assert problem.tools == [PYTHON]
    assert problem.task == asked("t")
    assert problem.about["attempts"] == 3
    assert problem.about["pass_rate"] == 2 / 3
    assert round(problem.about["mean_reward"], 3) == 0.733
    assert problem.about["characters"] > 0


def test_a_task_that_nobody_can_verify_is_no_problem() -> None:
    rows = frame(row(solved("t"), task("t", verifier=None)))
    assert list(problems([rows], rows)) == []


def test_a_task_without_a_verified_episode_has_no_rate() -> None:
    rows = frame(row(solved("t")))
    (problem,) = problems([rows], rows.clear())
    assert (problem.about["attempts"], problem.about["pass_rate"]) == (0, None)
