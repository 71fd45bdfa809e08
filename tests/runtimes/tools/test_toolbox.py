"""Which tools a task's agent gets, and what the sandbox's tools give back."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from runtimes.errors import ToolError
from runtimes.tools.base import Workbench
from runtimes.tools.code import SHOWN_CHARACTERS, operate_on_files, run_python, run_shell, shortened
from runtimes.tools.registry import grants, toolset
from tests.runtimes.scripted import ScriptedModel, code_task, finishes, services

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
    return {tool.name for tool in toolset(expected, ["python_executor"])[0]}


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
    tools, missing = toolset(["complete_task", "browser", "web_navigation", "complete_task"], [])
    found = [tool.name for tool in tools]
    assert len(found) == len(set(found))
    assert "complete_task" in found
    assert missing == []


def test_a_name_that_nothing_stands_for_is_missing_and_stops_nothing() -> None:
    tools, missing = toolset(["data_analysis", "no_such_tool", "shell_executor"], [])
    assert "shell_executor" in {tool.name for tool in tools}
    assert "no_such_tool" in missing


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


async def test_files_are_written_read_and_listed_within_the_workspace_only() -> None:
    async with services(ScriptedModel(finishes())) as opened, Workbench(code_task(), opened) as bench:
        assert (
            await operate_on_files(bench, "write", "data/数.txt", "一二三") == "wrote 9 bytes to data/数.txt"
        )
        assert await operate_on_files(bench, "read", "data/数.txt") == "一二三"
        assert await operate_on_files(bench, "list", "data") == "数.txt"
        assert "一二三" in await run_shell(bench, "cat data/*")
        assert "status: ok" in await run_python(bench, "import os; os.listdir('data')")
        for path in ("../x", "/etc/passwd", "missing.txt", "data", "a\0b"):
            with pytest.raises(ToolError) as failed:
                await operate_on_files(bench, "read", path)
            assert failed.value.error_type == "runtime_error"


async def test_a_failing_command_shows_its_output_and_its_status() -> None:
    async with services(ScriptedModel(finishes())) as opened, Workbench(code_task(), opened) as bench:
        with pytest.raises(ToolError, match=r"(?s)status: runtime_error.*out.*stderr.*bad") as failed:
            await run_shell(bench, "echo out; echo bad >&2; exit 3")
    assert failed.value.error_type == "runtime_error"


def test_short_text_is_shown_whole_and_long_text_keeps_both_ends() -> None:
    assert shortened("x" * SHOWN_CHARACTERS) == "x" * SHOWN_CHARACTERS
    cut = shortened("a" + "x" * SHOWN_CHARACTERS + "z")
    assert (cut[0], cut[-1]) == ("a", "z")
    assert "2 characters cut" in cut
