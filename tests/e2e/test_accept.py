"""`--accept`: exactly so many solved trajectories, through kills, rounds, files that run out and budgets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adp_assets.intake.assets import read_task_files
from adp_assets.selection.drying import ENOUGH
from adp_service.cli.campaign import Campaign, Order
from adp_service.driver import run_round
from runtimes.contracts import Trajectory
from tests.adp_assets.selection.proposed import propose, verdicts
from tests.e2e.conftest import MakeProject
from tests.e2e.held_model import HeldModel
from tests.e2e.project import Project
from tests.e2e.waiting import until

UNSOLVABLE = {"kind": "numeric", "spec": {"expected": 2}}
TASKS = [f"task-{number:02}" for number in range(20)]


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening an instance names its home here, where the next project would find it."""
    monkeypatch.setenv("DAGSTER_HOME", "")


def solved(project: Project, *rounds: str) -> list[Trajectory]:
    journal = project.platform.journal
    return [t for name in rounds for t in journal.read_round(name) if t.outcome == "solved"]


def accepted(project: Project, *rounds: str) -> list[str]:
    return [t.task_id for t in solved(project, *rounds) if not t.surplus]


def carry_out(project: Project, file: Path, **order: Any) -> tuple[Campaign, list[str]]:
    """What `adp run FILE` does with these options, in this process, and what it said meanwhile."""
    said: list[str] = []
    read_task_files(project.platform.pool, project.platform.settings, [file])
    campaign = Campaign(project.platform, Order(files=(str(file),), **order), said.append)
    campaign.go()
    return campaign, said


def test_a_killed_command_goes_on_to_exactly_as_many_and_exports_no_surplus(
    make_project: MakeProject, model: HeldModel
) -> None:
    project = make_project(MAX_CONCURRENT=8)
    file = project.write_tasks("tasks.jsonl", ["bad"], verifier=UNSOLVABLE)
    project.write_tasks("tasks.jsonl", TASKS)
    # With two of three solved one more is missing, for which it should take two.
    held = {"task-02", "task-03"}
    model.hold(*held)
    with project.start_adp("run", file, "--accept", "3", "--episodes", "4") as process:
        try:
            until(lambda: model.waiting == held, "the episodes that are still wanted")
            until(lambda: len(project.episodes("round-0001")) == 3, "the finished ones")
        finally:
            process.kill()
    before = project.episodes("round-0001")
    model.release()

    said = project.adp("run", file, "--accept", "3")

    assert "accepted      3 of 3, 1 surplus" in said
    after = project.episodes("round-0001")
    assert {task_id: after[task_id] for task_id in before} == before
    assert set(after) == {"bad", *TASKS[:4]}, "those that were in flight, and no other"
    found = accepted(project, "round-0001")
    assert len(found) == 3
    assert {"task-00", "task-01"} < set(found)
    assert project.frame("training_dataset", "round-0001")["task_id"].to_list() == found
    assert project.frame("code_trajectories", "round-0001").filter("surplus").height == 1
    assert "3/3" in project.adp("status")
    (surplus,) = held - set(found)
    assert "solved (surplus)" in project.adp("show", surplus)


def test_tasks_that_were_not_begun_are_there_for_the_next_order(make_project: MakeProject) -> None:
    project = make_project()
    file = project.write_tasks("tasks.jsonl", TASKS)
    for number in (1, 2):
        campaign, _ = carry_out(project, file, accept=4)
        assert [ran.round for ran in campaign.ran] == [f"round-{number:04}"]
        assert campaign.short_of_target() is None
        assert len(accepted(project, f"round-{number:04}")) == 4
    begun = [t.task_id for n in (1, 2) for t in solved(project, f"round-{n:04}")]
    assert len(begun) == len(set(begun))
    assert project.platform.pool.pending_seeds([str(file)]) == len(TASKS) - len(begun)


def test_an_order_that_ran_out_of_tasks_is_gone_on_with_when_there_are_more(
    make_project: MakeProject,
) -> None:
    project = make_project(MAX_ROUNDS=1)
    file = project.write_tasks("tasks.jsonl", ["good-0"])
    project.write_tasks("tasks.jsonl", ["bad-0", "bad-1"], verifier=UNSOLVABLE)

    said = project.adp("run", file, "--accept", "3", "--samples", "2", status=3)

    assert "2 of 3 were accepted: run again" in said
    assert "tasks         3 (6 episodes)" in said
    assert "pass@k        0.33 at 1, 0.33 at 2" in said

    project.write_tasks("tasks.jsonl", ["good-1"])
    campaign, notes = carry_out(project, file, accept=3, samples=2)

    assert notes == ["Going on after round-0001: 2 are accepted so far."]
    assert [ran.round for ran in campaign.ran] == ["round-0002"]
    assert accepted(project, "round-0001", "round-0002") == ["good-0", "good-0", "good-1"]


def test_a_command_plans_no_round_after_one_whose_proposals_were_hardly_ever_new(
    make_project: MakeProject,
) -> None:
    project = make_project(ROUND_SIZE=2)
    file = project.write_tasks("tasks.jsonl", TASKS[:4])
    campaign, _ = carry_out(project, file, accept=99, max_tasks=2)
    (ran,) = campaign.ran
    for _ in range(ENOUGH):
        propose(
            project.platform.database, ran.round, "novelty", False, verdicts("novelty", refused_by="novelty")
        )

    campaign, said = carry_out(project, file, accept=99)

    assert campaign.ran == []
    assert said[-1].startswith(f"No round follows {ran.round}: synthesis has dried up: ")


def test_an_order_tries_no_more_tasks_than_it_may(make_project: MakeProject) -> None:
    project = make_project()
    file = project.write_tasks("tasks.jsonl", TASKS, verifier=UNSOLVABLE)

    campaign, said = carry_out(project, file, accept=5, max_tasks=4)

    assert said == ["4 tasks were tried, which is as many as were asked for (--max-tasks)."]
    assert len(project.episodes("round-0001")) == 4
    assert campaign.short_of_target() is not None


def test_rounds_follow_one_another_until_there_are_enough(make_project: MakeProject) -> None:
    project = make_project(ROUND_SIZE=4)
    file = project.write_tasks("tasks.jsonl", TASKS[:4], verifier=UNSOLVABLE)
    project.write_tasks("tasks.jsonl", TASKS[4:])

    campaign, _ = carry_out(project, file, accept=3)

    names = [ran.round for ran in campaign.ran]
    assert names == ["round-0001", "round-0002"]
    assert len(accepted(project, *names)) == 3


def test_a_round_of_the_ui_has_a_target_too_and_the_sensor_plans_none_after_it(
    make_project: MakeProject,
) -> None:
    project = make_project()
    project.write_tasks("tasks.jsonl", TASKS[:3], task_type="reasoning")
    project.write_tasks("tasks.jsonl", TASKS[3:])

    assert run_round(project.platform, "mine", {"accept": 5}).ok

    assert len(accepted(project, "mine")) == 5
    record = project.platform.instance.get_latest_materialization_event(_key("code_trajectories"))
    assert record is not None
    assert record.asset_materialization is not None
    metadata = record.asset_materialization.metadata
    assert metadata["pass@1"].value == 1.0
    counts: Any = metadata["accept"].value
    assert (counts["asked"], counts["accepted"]) == (5, 5)
    reasoning = project.frame("reasoning_trajectories", "mine")
    assert reasoning.is_empty(), "the code tasks, whose turn came first, had given enough"
    assert project.platform.pool.pending_seeds([]) == len(TASKS) - len(solved(project, "mine"))


def _key(name: str) -> Any:
    import dagster as dg

    return dg.AssetKey(name)


def test_a_spent_budget_ends_the_round_and_more_of_it_goes_on(
    make_project: MakeProject, model: HeldModel
) -> None:
    project = make_project()
    file = project.write_tasks("tasks.jsonl", TASKS)

    said = project.adp("run", file, "--max-tokens", "8000", "--episodes", "2", status=3)

    assert "Round round-0001 stopped before all was run" in said
    assert "ROUND_TOKEN_LIMIT" in said
    stopped = project.episodes("round-0001")
    paid = {task_id for task_id, row in stopped.items() if row.outcome == "solved"}
    assert 0 < len(paid) < len(TASKS)
    assert {row.outcome for row in stopped.values()} == {"solved", "cancelled"}
    assert project.frame("training_dataset", "round-0001").height == len(paid)

    said = project.adp("run", file, "--max-tokens", "8000000")

    assert "Going on with round round-0001" in said
    after = project.episodes("round-0001")
    assert {row.outcome for row in after.values()} == {"solved"}
    assert set(after) == set(TASKS)
    assert {task_id: after[task_id] for task_id in paid} == {task_id: stopped[task_id] for task_id in paid}


@pytest.mark.parametrize(("next_target", "accepted_in_the_end"), [(17, 17), (1, None)])
def test_an_interrupted_order_takes_the_target_of_the_next(
    make_project: MakeProject, next_target: int, accepted_in_the_end: int | None
) -> None:
    project = make_project()
    file = project.write_tasks("tasks.jsonl", TASKS)
    project.adp("run", file, "--accept", 15, "--max-tokens", "8000", "--episodes", "2", status=3)
    before = len(accepted(project, "round-0001"))
    assert 1 < before < 15
    told = json.loads(project.adp("run", file, "--accept", next_target, "--estimate", "--json"))
    likely = sum(each["load"]["likely"] for each in told["loads"] if each["load"]["unit"] == "episodes")
    missing = max(next_target - before, 0)
    assert missing <= likely <= max(20 - before, missing)

    carry_out(project, file, accept=next_target)

    rounds = [planned.name for planned in project.platform.rounds.all()]
    assert rounds == ["round-0001"]
    assert len(accepted(project, *rounds)) == (accepted_in_the_end or before)


def test_samples_differ_by_their_seed_and_make_a_pass_rate(make_project: MakeProject) -> None:
    project = make_project()
    file = project.write_tasks("tasks.jsonl", ["good"])
    project.write_tasks("tasks.jsonl", ["bad"], verifier=UNSOLVABLE)

    carry_out(project, file, samples=3)

    trajectories = list(project.platform.journal.read_round("round-0001"))
    seeds = {(t.task_id, t.sample): t.sampling["seed"] for t in trajectories}
    assert len(seeds) == len(set(seeds.values())) == 6
    assert sorted(path.name for path in (project.folder / "output/trajectories").glob("*.json")) == [
        "bad.json",
        "good.json",
    ]
    status = project.adp("status", "round-0001")
    assert "0.50 at 1, 0.50 at 2, 0.50 at 3" in status
    assert status.index("bad") < status.index("good"), "the hardest first"
    assert "3 of 3 verified tries over all rounds (pass rate 1.00, difficulty 0.20)" in project.adp(
        "show", "good"
    )
