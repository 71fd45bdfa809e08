"""What tasks can open, by their tools and constraints: nothing, hosts that are named, or any public one.

Here is what a new task may be given of it, by its parents; `gates/policy.py` refuses what goes beyond.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from runtimes.contracts import TaskSpec
from runtimes.registry import create_runtime
from runtimes.services import Services
from runtimes.tools.toolbox import Toolbox
from runtimes.web.egress.guard import Guard

OFFLINE = frozenset(
    {
        "python_executor",
        "shell_executor",
        "file_operations",
        "data_analysis",
        "llm_reasoning",
        "complete_task",
    }
)
"""Tools that open no address but the hosts of `allowed_domains`."""

PAGES = frozenset({"browser", "web_navigation", "form_filling"})
"""Tools that open any public address, or those of `allowed_domains` alone where a task has some, even none.

All others, such as searches, MCP servers and skills with hosts of their own, heed no task's constraints.
"""


def offline_tools(toolbox: Toolbox) -> frozenset[str]:
    """Of all tools of a deployment those that open no address: skills without hosts are among them."""
    return OFFLINE | {skill.name for skill in toolbox.skills if not skill.hosts}


def are_offline(tools: Collection[str], task_type: str, offline: Collection[str] = OFFLINE) -> bool:
    """Whether none of a task's tools opens an address; without any it has those of its type's runtime."""
    return set(tools) <= set(offline) and (bool(tools) or task_type == "code")


def is_bounded(task: TaskSpec) -> bool:
    """Whether its constraints name the hosts that it may open."""
    return task.constraints.get("allowed_domains") is not None


def is_offline(task: TaskSpec, offline: Collection[str] = OFFLINE) -> bool:
    """Whether nothing that the task uses opens an address; `offline` are the tools that do not."""
    starts = "start_url" in task.constraints
    return not (starts or is_bounded(task)) and are_offline(task.expected_tools, task.task_type, offline)


def reach_of(task: TaskSpec, offline: Collection[str] = OFFLINE) -> tuple[str, ...] | None:
    """The hosts that a task may open beside the shop; None for any public one. Raises ToolError."""
    return () if is_offline(task, offline) else Guard.of_task(task).allowed_domains


def tools_by_type(parents: Iterable[TaskSpec], services: Services) -> dict[str, list[str]]:
    """The tools that new tasks may be given, by the types of their parents.

    A type whose own runtime opens no address gets no tool that does, but those that people gave such tasks.
    """
    names = services.toolbox.names()
    offline = offline_tools(services.toolbox)
    named: dict[str, set[str]] = {}
    for parent in parents:
        named.setdefault(parent.task_type, set()).update(parent.expected_tools)
    usable = {}
    for task_type, given in named.items():
        online = not create_runtime(task_type, services).capabilities <= offline
        usable[task_type] = [name for name in names if online or name in offline | given]
    return usable
