"""What a task's constraints let its code use."""

from __future__ import annotations

from typing import Any

import pytest

from runtimes.contracts import TaskSpec
from runtimes.errors import InvalidTask, ToolError
from runtimes.tools.allowance import Allowance
from runtimes.tools.constraints import check_constraints
from sandbox import Limits
from tests.runtimes.scripted import code_task, episode, finishes, runs


def task(**constraints: Any) -> TaskSpec:
    return code_task(constraints=constraints)


def test_without_constraints_the_platform_s_limits_hold_and_nothing_is_reached() -> None:
    assert Allowance.of_task(task(), Limits(memory_mb=64)) == Allowance(Limits(memory_mb=64), ())


def test_a_task_s_limits_replace_the_platform_s_one_by_one() -> None:
    allowance = Allowance.of_task(task(limits={"wall_seconds": 2, "inodes": 10}), Limits(memory_mb=64))
    assert allowance.limits == Limits(memory_mb=64, wall_seconds=2, inodes=10)


def test_a_granted_name_stands_for_the_names_below_it_and_an_address_for_itself() -> None:
    allowance = Allowance.of_task(task(allowed_domains=["Example.org", "10.0.0.1:80"]), Limits())
    assert allowance.hosts == ("example.org", "10.0.0.1:80", "*.example.org")


@pytest.mark.parametrize(
    ("constraints", "named"),
    [
        ({"limits": {"memory": 1}}, "memory_mb"),
        ({"limits": 5}, "object"),
        ({"limits": {"wall_seconds": 0}}, "wall_seconds is 0"),
        ({"limits": {"wall_seconds": "long"}}, "limits"),
        ({"limits": []}, "object"),
        ({"limits": {"memory_mb": 64.5}}, "memory_mb is 64.5. Give a whole number"),
        ({"allowed_domains": "example.org"}, "list of host names"),
        ({"allowed_domains": ""}, "list of host names"),
        ({"allowed_domains": ["http://shop.test/"]}, "'http://shop.test/' is not HOST or HOST:PORT"),
    ],
)
def test_constraints_that_cannot_be_read_name_the_fault(constraints: dict[str, Any], named: str) -> None:
    with pytest.raises(ToolError, match=named):
        Allowance.of_task(task(**constraints), Limits())
    with pytest.raises(InvalidTask, match=named):
        check_constraints(task(**constraints))


@pytest.mark.parametrize(
    ("constraints", "named"),
    [
        ({"start_url": 5}, "start_url is 5"),
        ({"start_url": "file:///etc/passwd"}, "start_url: 'file:///etc/passwd' cannot be opened"),
        ({"start_url": "shop.test"}, "start_url: 'shop.test' cannot be opened"),
        ({"recovery": "maybe"}, "recovery is 'maybe'"),
    ],
)
def test_constraints_that_no_page_could_be_opened_with_name_the_fault(
    constraints: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidTask, match=named):
        check_constraints(task(**constraints))


def test_an_address_may_come_without_brackets() -> None:
    allowance = Allowance.of_task(task(allowed_domains=["2606:4700::1111"]), Limits())
    assert allowance.hosts == ("[2606:4700::1111]",)


async def test_limits_beyond_the_machine_are_told_to_the_agent_and_not_tried_again() -> None:
    trajectory, _ = await episode(runs("print(1)"), finishes(), task=task(limits={"memory_mb": 10**9}))
    assert trajectory.steps[0].error_type == "system_error"
    assert "The limit memory_mb is 1000000000, and this machine has" in (
        trajectory.steps[0].error_message or ""
    )


async def test_an_episode_runs_under_its_task_s_limits() -> None:
    slow = task(limits={"wall_seconds": 0.5, "cpu_seconds": 30})
    trajectory, _ = await episode(runs("while True: pass"), finishes(), task=slow)
    assert trajectory.steps[0].error_type == "timeout"
