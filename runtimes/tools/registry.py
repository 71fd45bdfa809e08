"""The native tools: what a name in `expected_tools` grants without anything being registered.

Users add theirs with the entry point group `adp.tools`. Skills and MCP servers come with the toolbox.
"""

from __future__ import annotations

from runtimes import plugins
from runtimes.tools.base import COMPLETE_TASK, Tool
from runtimes.tools.code import PYTHON_EXECUTOR, SHELL_EXECUTOR
from runtimes.tools.data_analysis import DATA_ANALYSIS
from runtimes.tools.files import FILE_OPERATIONS
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
    *("drag", "scroll", "wait_for", "tabs"),
}

BUILT_IN: dict[str, tuple[Tool, ...]] = {
    "python_executor": (PYTHON_EXECUTOR,),
    "shell_executor": (SHELL_EXECUTOR,),
    "file_operations": (FILE_OPERATIONS,),
    "data_analysis": (DATA_ANALYSIS,),
    "browser": PAGE_ACTIONS,
    "web_navigation": tuple(tool for tool in PAGE_ACTIONS if tool.name in _NAVIGATION),
    "form_filling": tuple(tool for tool in PAGE_ACTIONS if tool.name in _FORMS),
    "web_search": (WEB_SEARCH,),
    "llm_reasoning": (LLM_REASONING,),
    COMPLETE_TASK: (COMPLETE,),
}


def grants() -> dict[str, tuple[Tool, ...]]:
    """Every name of a native tool and the tools it stands for."""
    return {**BUILT_IN, **{name: tuple(tools) for name, tools in plugins.load(GROUP).items()}}
