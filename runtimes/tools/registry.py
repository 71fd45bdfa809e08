"""Which tools a name in `expected_tools` grants. Users add theirs with the entry point group `adp.tools`."""

from __future__ import annotations

from collections.abc import Iterable

from runtimes import plugins
from runtimes.tools.base import COMPLETE_TASK, Tool
from runtimes.tools.code import FILE_OPERATIONS, PYTHON_EXECUTOR, SHELL_EXECUTOR
from runtimes.tools.page_actions import PAGE_ACTIONS
from runtimes.tools.reasoning import COMPLETE, LLM_REASONING
from runtimes.tools.web_search import WEB_SEARCH

GROUP = "adp.tools"
_NAVIGATION = {
    *("goto", "click", "hover", "scroll", "back", "forward", "reload", "wait_for", "extract", "screenshot"),
    *("tabs", "new_tab", "switch_tab", "close_tab"),
}
_FORMS = {
    *("click", "double_click", "fill", "fill_and_submit", "type", "press", "select", "check", "upload"),
    *("drag", "scroll", "wait_for"),
}

BUILT_IN: dict[str, tuple[Tool, ...]] = {
    "python_executor": (PYTHON_EXECUTOR,),
    "shell_executor": (SHELL_EXECUTOR,),
    "file_operations": (FILE_OPERATIONS,),
    "browser": PAGE_ACTIONS,
    "web_navigation": tuple(tool for tool in PAGE_ACTIONS if tool.name in _NAVIGATION),
    "form_filling": tuple(tool for tool in PAGE_ACTIONS if tool.name in _FORMS),
    "web_search": (WEB_SEARCH,),
    "llm_reasoning": (LLM_REASONING,),
    COMPLETE_TASK: (COMPLETE,),
}


def grants() -> dict[str, tuple[Tool, ...]]:
    """Every name that can be granted here and the tools it stands for."""
    return {**BUILT_IN, **{name: tuple(tools) for name, tools in plugins.load(GROUP).items()}}


def toolset(expected: Iterable[str], default: Iterable[str]) -> tuple[list[Tool], list[str]]:
    """The tools an agent gets, and the names nothing here stands for.

    `default` is what its runtime grants where the task names none. `complete_task` is always among them.
    """
    available = grants()
    tools: dict[str, Tool] = {}
    missing: list[str] = []
    for name in [*(list(expected) or default), COMPLETE_TASK]:
        if name not in available:
            missing.append(name)
        for tool in available.get(name, ()):
            tools[tool.name] = tool
    return list(tools.values()), missing
