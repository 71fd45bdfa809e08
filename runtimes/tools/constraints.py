"""Whether a task's constraints can be read at all, asked where tasks are read; what they grant is others'."""

from __future__ import annotations

from runtimes.contracts import TaskSpec
from runtimes.errors import InvalidTask, ToolError
from runtimes.tools.allowance import Allowance
from runtimes.web.egress.guard import Guard
from runtimes.web.page.navigation import whole_address
from runtimes.web.page.recovery import resumes
from sandbox import Limits

CONSTRAINTS = ("start_url", "allowed_domains", "limits", "recovery", "files")
"""The constraints that anything here reads."""


def check_constraints(task: TaskSpec) -> None:
    """Raise InvalidTask for limits, hosts, a start address or a recovery that no run could be given."""
    start_url = task.constraints.get("start_url")
    if not isinstance(start_url, str | None):
        raise InvalidTask(f"constraints.start_url is {start_url!r}.", "It must be an address, as a string.")
    try:
        Allowance.of_task(task, Limits())
        Guard.of_task(task)
        resumes(task)
    except ToolError as error:
        raise InvalidTask(error.message, error.remedy) from error
    if start_url:
        try:
            whole_address(start_url, "")
        except ToolError as error:
            raise InvalidTask(f"constraints.start_url: {error.message}", error.remedy) from error
