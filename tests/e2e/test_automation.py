"""What starts rounds by itself: the sensors and the schedule, asked in this process after real rounds."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from adp_assets.automation import inbox_states
from adp_assets.mutation.table import CandidateTable
from adp_assets.selection.drying import ENOUGH
from adp_resources.resources import resources
from adp_service.driver import run_round
from adp_service.platform import Platform
from tests.adp_assets.selection.proposed import propose, verdicts
from tests.e2e.conftest import MakeProject
from tests.e2e.project import Project


@dataclass
class Automation:
    """A project's sensors and schedule, with the cursors that a daemon would keep."""

    project: Project
    platform: Platform
    cursors: dict[str, str | None] = field(default_factory=dict)

    def tick(self, sensor: str) -> tuple[list[dg.RunRequest], str]:
        """What a sensor asks for at its next tick, and why it does not. New rounds are added as asked."""
        with dg.build_sensor_context(
            instance=self.platform.instance,
            cursor=self.cursors.get(sensor),
            repository_def=self.platform.defs.get_repository_def(),
            resources=resources(**self.platform.overrides),
        ) as context:
            said = self.platform.defs.get_sensor_def(sensor)(context)
            self.cursors[sensor] = context.cursor
        if isinstance(said, dg.SkipReason):
            return [], said.skip_message or ""
        assert isinstance(said, dg.SensorResult)
        for request in said.dynamic_partitions_requests or ():
            self.platform.instance.add_dynamic_partitions("rounds", list(request.partition_keys))
        return list(said.run_requests or ()), ""

    def run(self, name: str, **config: Any) -> None:
        ran = run_round(self.platform, name, config)
        assert ran.ok, ran.failure


@pytest.fixture
def automation(
    make_project: MakeProject, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Automation:
    """A project of six tasks whose rounds take two, so that tasks wait for the rounds to come."""
    # Opening an instance names its home here, where the next project would find it.
    monkeypatch.setenv("DAGSTER_HOME", "")
    project = make_project(ROUND_SIZE=2, **getattr(request, "param", {}))
    project.write_tasks("tasks.jsonl", [f"task-{number}" for number in range(6)])
    return Automation(project, project.platform)


def config_of(request: dg.RunRequest) -> dict[str, Any]:
    config: dict[str, Any] = request.run_config["ops"]["seed_tasks"]["config"]
    return config


def test_a_round_follows_one_whose_trajectories_landed_until_the_chain_is_as_long_as_it_may_be(
    automation: Automation,
) -> None:
    automation.run("first", max_rounds=2, driver="person")

    (request,), _ = automation.tick("next_round")
    assert request.partition_key == "round-0001"
    assert config_of(request)["follows"] == "first"
    assert automation.tick("next_round") == ([], "No round's trajectories have newly landed.")

    automation.run(str(request.partition_key), **config_of(request))
    requests, reason = automation.tick("next_round")
    assert requests == []
    assert "limit of 2 rounds" in reason


@pytest.mark.parametrize("job", ["round", "__ASSET_JOB"], ids=["job", "backfill"])
def test_no_round_follows_while_its_run_goes_on(job: str, automation: Automation) -> None:
    automation.run("first", driver="person")
    definition = automation.platform.defs.get_repository_def().get_job(job)
    going_on = automation.platform.instance.create_run_for_job(
        definition, tags={"dagster/partition": "first"}
    )

    assert automation.tick("next_round")[0] == []

    automation.platform.instance.report_run_canceled(going_on)
    assert [request.partition_key for request in automation.tick("next_round")[0]] == ["round-0001"]


def test_no_round_follows_one_whose_proposals_were_hardly_ever_new(automation: Automation) -> None:
    automation.run("first", driver="person")
    for _ in range(ENOUGH):
        propose(
            automation.platform.database, "first", "novelty", False, verdicts("novelty", refused_by="novelty")
        )

    requests, reason = automation.tick("next_round")

    assert requests == []
    assert reason.startswith("first: synthesis has dried up: ")


def test_a_round_with_undecided_candidates_is_followed_once_they_are_judged(automation: Automation) -> None:
    automation.run("first", driver="person")
    propose(automation.platform.database, "first", "trial", None, verdicts("novelty"))

    requests, reason = automation.tick("next_round")
    assert requests == []
    assert reason.startswith("first: 1 of its candidates for new tasks are undecided")
    assert reason.endswith("Materialize it again")

    CandidateTable(automation.platform.database).forget_undecided("first", [])
    assert [request.partition_key for request in automation.tick("next_round")[0]] == ["round-0001"]


def test_rounds_of_the_command_are_not_followed(automation: Automation) -> None:
    automation.run("first", driver="command")

    requests, reason = automation.tick("next_round")

    assert requests == []
    assert "`adp run` drives it" in reason


@pytest.mark.parametrize("automation", [{"FEEDBACK_ENABLED": "false"}], indirect=True)
def test_no_round_follows_when_feedback_is_off(automation: Automation) -> None:
    automation.run("first", driver="person")

    assert automation.tick("next_round") == ([], "FEEDBACK_ENABLED is off.")


def test_a_file_in_the_inbox_starts_one_round_and_another_when_it_grows(automation: Automation) -> None:
    assert automation.tick("inbox")[0] == []
    file = automation.project.write_tasks("inbox/new.jsonl", ["dropped-0"])

    (request,), _ = automation.tick("inbox")
    assert (request.partition_key, config_of(request)["task_files"]) == ("round-0001", [str(file)])
    assert automation.tick("inbox")[0] == []

    automation.project.write_tasks("inbox/new.jsonl", ["dropped-1"])
    (grown,), _ = automation.tick("inbox")
    assert grown.partition_key == "round-0002"
    assert grown.run_key != request.run_key


def test_a_file_that_is_no_longer_there_is_none_of_the_inbox(tmp_path: Path) -> None:
    (tmp_path / "gone.jsonl").symlink_to("nothing")
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "here.jsonl").write_text("{}")
    assert list(inbox_states(tmp_path)) == ["here.jsonl"]


def test_the_schedule_asks_for_a_round_of_the_day(automation: Automation) -> None:
    with dg.build_schedule_context(
        instance=automation.platform.instance,
        scheduled_execution_time=datetime.datetime(2026, 3, 1, 3, tzinfo=datetime.UTC),
        resources=resources(**automation.platform.overrides),
    ) as context:
        asked = automation.platform.defs.get_schedule_def("daily_synthesis")(context)

    assert isinstance(asked, list)
    (request,) = asked
    assert request.partition_key == "daily-2026-03-01"
    automation.run(str(request.partition_key), **config_of(request))
