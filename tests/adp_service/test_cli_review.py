"""`adp review`: a person sees what waits, and decides about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adp_service.platform import Platform
from tests.adp_assets.test_review import made, wait
from tests.adp_service.command import Ended, in_this_process, project

Said = Callable[..., Ended]


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """Three tasks wait, one of them for the web."""
    platform = Platform({"project_root": str(project(tmp_path))})
    tasks = [made("task-a", task_type="web"), made("task-b", description="数 1"), made("task-c", root="d")]
    wait(platform.pool, *tasks, **{"task-a": 1.0})
    return platform


@pytest.fixture
def adp_review(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Said:
    return in_this_process("review", tmp_path, monkeypatch, capsys)


def statuses(platform: Platform) -> dict[str, str]:
    return {name: platform.reviews.get(name).status for name in ("task-a", "task-b", "task-c")}


def test_waiting_tasks_are_listed_and_shown_with_what_is_known_of_them(adp_review: Said) -> None:
    listed = adp_review("list")
    assert "3 wait" in listed.output
    for word in ("task-a", "web", "parameter", "seed", "numeric", "1.00", "Write the function of task-a."):
        assert word in listed.output
    assert "task-a" in listed.output.splitlines(), "an id has a line of its own"
    (only,) = json.loads(adp_review("list", "--gate-trivial", "--json").output)
    assert (only["task_id"], only["parents"], only["expected_pass"]) == ("task-a", ["seed"], 1.0)
    assert "No task waits for review that fits." in adp_review("list", "--operator", "other").output
    shown = adp_review("show", "task-b").output
    for word in ("waits for review", "数 1", "parameter of seed, generation 1", '"expected": 42', "300 s"):
        assert word in shown


def test_tasks_are_approved_and_rejected_by_id(platform: Platform, adp_review: Said) -> None:
    assert "2 approved" in adp_review("approve", "task-a", "task-b", "--by", "ann").output
    assert "1 rejected" in adp_review("reject", "task-c", "--reason", "no fun", "--by", "bob").output
    assert statuses(platform) == {"task-a": "pending", "task-b": "pending", "task-c": "rejected"}
    assert "rejected by bob" in (shown := adp_review("show", "task-c").output)
    assert "no fun (now rejected)" in shown
    assert adp_review("list").output == "No task waits for review.\n"


def test_deciding_again_changes_nothing_and_says_so(platform: Platform, adp_review: Said) -> None:
    adp_review("approve", "task-a", "--by", "ann")
    again = adp_review("approve", "task-a")
    other = adp_review("reject", "task-a", "-r", "second thoughts")
    for ended in (again, other):
        assert ended.code == 0
        assert "task-a is left as it is: approved by ann" in ended.said
        assert ended.output.startswith("0 ")
    assert statuses(platform)["task-a"] == "pending"


def test_many_are_decided_by_the_filters_of_the_list(platform: Platform, adp_review: Said) -> None:
    assert "1 rejected" in adp_review("reject", "--all", "--type", "web", "-r", "enough of these").output
    assert "1 approved" in adp_review("approve", "--all", "--root", "d").output
    assert statuses(platform) == {"task-a": "rejected", "task-b": "review", "task-c": "pending"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["approve"], "Nothing was chosen."),
        (["approve", "--type", "web"], "Nothing was chosen."),
        (["approve", "task-a", "--all"], "--all was given"),
        (["approve", "task-a", "--type", "web"], "filters were given"),
        (["approve", "task-a", "tsk-b"], "no task 'tsk-b'"),
        (["approve", "tsk-b"], "Such as: task-b"),
        (["show", "nothing"], "`adp review list` shows those that wait"),
    ],
)
def test_a_choice_that_is_none_changes_nothing(
    platform: Platform, adp_review: Said, arguments: list[str], said: str
) -> None:
    ended = adp_review(*arguments)
    assert ended.code == 1
    assert said in ended.said
    assert set(statuses(platform).values()) == {"review"}


def test_status_and_run_tell_of_tasks_that_only_a_person_holds_up(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status = in_this_process("status", tmp_path, monkeypatch, capsys)()
    assert "Waiting for a person: 3 tasks, see `adp review list`" in status.output
    run = in_this_process("run", tmp_path, monkeypatch, capsys)()
    assert run.code == 0
    assert "no task waits in the pool but 3 for a person's approval (`adp review list`)" in run.output
