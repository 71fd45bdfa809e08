"""Which tools a task's agent gets, by name, permission and what the deployment decided."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from runtimes.builtin import ReasoningRuntime
from runtimes.tools.mcp.servers import McpServer, McpTool
from runtimes.tools.permissions import LEVELS, Permission, allows
from runtimes.tools.registry import grants
from runtimes.tools.toolbox import Ruling, Toolbox
from tests.runtimes.scripted import ScriptedModel, finishes, reasoning_task, services

PAGE_ACTIONS = {
    *(
        "goto",
        "click",
        "double_click",
        "hover",
        "fill",
        "fill_and_submit",
        "type",
        "press",
        "select",
        "check",
    ),
    *("upload", "drag", "scroll", "back", "forward", "reload", "tabs", "new_tab", "switch_tab", "close_tab"),
    *("wait_for", "finish", "extract", "screenshot"),
}


def names(*expected: str) -> set[str]:
    return {tool.name for tool in Toolbox().toolset(expected, ["python_executor"])[0]}


def test_browser_grants_every_page_action() -> None:
    assert names("browser") == {*PAGE_ACTIONS, "complete_task"}


def test_navigation_and_form_filling_grant_their_part_of_the_page_actions() -> None:
    moving, forms = names("web_navigation"), names("form_filling")
    assert {"goto", "click", "back", "switch_tab", "extract", "complete_task"} <= moving
    assert {"click", "fill", "type", "select", "check", "upload", "complete_task"} <= forms
    assert not moving & {"fill", "fill_and_submit", "type", "upload"}
    assert not forms & {"goto", "new_tab", "back"}


def test_a_task_that_names_no_tool_gets_its_runtimes_own() -> None:
    assert names() == {"python_executor", "complete_task"}


def test_complete_task_is_there_once_whether_named_or_not() -> None:
    tools, missing = Toolbox().toolset(["complete_task", "browser", "web_navigation", "complete_task"], [])
    found = [tool.name for tool in tools]
    assert len(found) == len(set(found))
    assert "complete_task" in found
    assert missing == []


def test_a_name_that_nothing_stands_for_is_missing_and_stops_nothing() -> None:
    tools, missing = Toolbox().toolset(["no_such_tool", "shell_executor"], [])
    assert "shell_executor" in {tool.name for tool in tools}
    assert missing == ["no_such_tool"]


def test_every_tool_has_a_valid_schema_that_takes_no_unknown_arguments() -> None:
    for tool in {tool.name: tool for tools in grants().values() for tool in tools}.values():
        schema = tool.schema()["function"]
        Draft202012Validator.check_schema(schema["parameters"])
        assert schema["description"]
        assert schema["parameters"]["additionalProperties"] is False


def test_a_page_action_is_recorded_with_its_name_and_arguments() -> None:
    goto = next(tool for tool in grants()["browser"] if tool.name == "goto")
    assert goto.action_type == "browser_action"
    assert goto.action_params({"url": "http://shop.test/"}) == {"action": "goto", "url": "http://shop.test/"}


SERVER = McpServer(
    name="files",
    url="https://mcp.example/",
    permission="trusted",
    tools=(McpTool("read", "Reads.", {"type": "object"}), McpTool("write", "Writes.", {"type": "object"})),
)


@pytest.mark.parametrize(("level", "given"), [("user", False), ("trusted", True), ("admin", True)])
def test_a_tool_above_the_deployments_level_is_withheld_and_the_reason_told(
    level: Permission, given: bool
) -> None:
    tools, missing = Toolbox(level=level, servers=[SERVER]).toolset(["files__read"], [])
    assert ("files__read" in {tool.name for tool in tools}) is given
    assert missing == ([] if given else ["files__read (needs the permission trusted, tasks have user)"])


def test_each_level_has_what_those_below_it_have() -> None:
    assert [[allows(level, needed) for needed in LEVELS] for level in LEVELS] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_a_servers_name_grants_all_its_tools_and_a_tools_name_that_one() -> None:
    box = Toolbox(level="admin", servers=[SERVER])
    assert {tool.name for tool in box.toolset(["files"], [])[0]} == {
        "files__read",
        "files__write",
        "complete_task",
    }
    assert {tool.name for tool in box.toolset(["files__write"], [])[0]} == {"files__write", "complete_task"}


def test_what_is_switched_off_is_missing_with_its_server() -> None:
    off = Ruling(is_active=False, reason="switched off in this deployment")
    box = Toolbox(level="admin", servers=[SERVER], rulings={"files": off, "shell_executor": off})
    tools, missing = box.toolset(["files", "files__read", "shell_executor"], [])
    assert [tool.name for tool in tools] == ["complete_task"]
    assert missing == [
        "files (switched off in this deployment)",
        "files__read",
        "shell_executor (switched off in this deployment)",
    ]


def test_one_tool_of_a_server_can_be_switched_off_or_withheld() -> None:
    rulings = {"files__read": Ruling(is_active=False), "files__write": Ruling(permission="admin")}
    box = Toolbox(level="trusted", servers=[SERVER], rulings=rulings)
    tools, missing = box.toolset(["files"], [])
    assert [tool.name for tool in tools] == ["complete_task"]
    assert missing == ["files__write (needs the permission admin, tasks have trusted)"]


def test_who_may_use_a_native_tool_can_be_decided_otherwise() -> None:
    box = Toolbox(rulings={"shell_executor": Ruling(permission="admin")})
    assert "shell_executor" not in box.names()
    assert "python_executor" in box.names()


async def test_a_task_is_told_in_its_prompt_which_tools_it_may_not_use() -> None:
    model = ScriptedModel(finishes())
    async with services(model) as opened:
        opened.toolbox = Toolbox(rulings={"shell_executor": Ruling(permission="trusted")})
        task = reasoning_task(expected_tools=["shell_executor"])
        trajectory = await ReasoningRuntime(opened).execute(task)
    told = "shell_executor (needs the permission trusted, tasks have user)"
    assert f"Not available here: {told}." in model.requests[0][1]["content"]
    assert trajectory.metadata["missing_tools"] == [told]
    assert model.tools[0] == ["complete_task"]
