"""The cheapest gates: a candidate is a task that can be read, in its language, and its tools exist."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from adp_assets.languages import language_of
from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import Finding, Gate, refused
from runtimes.contracts import TaskSpec, check_task_id
from runtimes.errors import InvalidTask
from runtimes.grading.base import check_verifier
from runtimes.text import storable
from runtimes.tools.constraints import check_constraints

MAX_DESCRIPTION = 8_000
"""Characters."""


class SchemaGate(Gate):
    """A whole task: an id, constraints and a verifier that can be read, a description of sound length.

    All of it, and the reference, is text and numbers that a file and a database can hold.

    The description is in the language that its `metadata.language` names, else in its parent's. What came
    of a proposal without a task, an answer that is no JSON above all, is refused here too.
    """

    name = "schema"

    async def judge(self, task: TaskSpec, candidate: Candidate) -> Finding:
        try:
            check_task_id(task.task_id)
            check_constraints(task)
            if task.verifier is None:
                return refused("there is no verifier")
            check_verifier(task.verifier)
            storable([msgspec.to_builtins(task), candidate.reference])
        except (InvalidTask, ValueError) as error:
            return refused(str(error))
        length = len(task.description)
        if not task.description.strip():
            return refused("the description is blank")
        if length > MAX_DESCRIPTION:
            return refused(f"the description has {length:,} characters, more than {MAX_DESCRIPTION:,}")
        expected = task.metadata.get("language") or language_of(candidate.proposal.parent.description)
        found = language_of(task.description)
        if found and expected and found != expected:
            return refused(f"the description is in the wrong language: {found} instead of {expected}")
        return Finding()


class ToolsGate(Gate):
    """Every tool that it names can be granted to tasks of its type: `available` are the names by type."""

    name = "tools"

    def __init__(self, available: Mapping[str, Collection[str]]) -> None:
        self._available = available

    async def judge(self, task: TaskSpec, candidate: Candidate) -> Finding:
        unknown = sorted(set(task.expected_tools) - set(self._available.get(task.task_type, ())))
        return refused(f"{task.task_type} tasks have no tool {', '.join(unknown)}") if unknown else Finding()
