"""Reach: which tools new tasks of a type may be given, and what tasks can open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adp_assets.mutation.reach import is_offline, offline_tools, reach_of, tools_by_type
from runtimes.llm.teacher import Teacher
from runtimes.services import Services
from runtimes.tools.skills import Skill
from runtimes.tools.toolbox import Toolbox
from runtimes.web.browser.pool import BrowserPool
from sandbox import SandboxPool
from tests.adp_assets.tasks import task


def skill(name: str, *hosts: str) -> Skill:
    return Skill(name, "Does it.", Path(), "", "main.py", {}, hosts, 10.0, "user", {})


def services() -> Services:
    toolbox = Toolbox(skills=[skill("sudoku"), skill("weather", "weather.test")])
    return Services(Teacher(), SandboxPool(), BrowserPool(), toolbox=toolbox)


def test_new_code_tasks_are_offered_no_tool_that_opens_addresses_and_web_tasks_all() -> None:
    tools = tools_by_type([task("a"), task("b", task_type="web")], services())
    assert {"python_executor", "data_analysis", "sudoku"} <= set(tools["code"])
    assert not {"browser", "web_navigation", "web_search", "weather"} & set(tools["code"])
    assert {"browser", "web_search", "weather", "python_executor"} <= set(tools["web"])


def test_a_tool_that_people_gave_tasks_of_a_type_is_offered_to_their_children() -> None:
    tools = tools_by_type([task("a", expected_tools=["python_executor", "weather"])], services())
    assert "weather" in tools["code"]
    assert "browser" not in tools["code"]


def test_only_skills_without_hosts_open_nothing() -> None:
    assert {"sudoku", "weather"} & offline_tools(services().toolbox) == {"sudoku"}


@pytest.mark.parametrize(
    ("fields", "reach"),
    [
        ({}, ()),
        ({"expected_tools": ["browser"]}, None),
        ({"expected_tools": ["browser"], "constraints": {"allowed_domains": []}}, ()),
        ({"constraints": {"allowed_domains": ["docs.test"]}}, ("docs.test",)),
        ({"task_type": "reasoning"}, None),
        ({"task_type": "reasoning", "expected_tools": ["python_executor"]}, ()),
    ],
)
def test_what_a_task_can_open_follows_from_its_tools_and_hosts(
    fields: dict[str, Any], reach: tuple[str, ...] | None
) -> None:
    made = task(**fields)
    assert reach_of(made) == reach
    assert is_offline(made) == (reach == () and "allowed_domains" not in made.constraints)
