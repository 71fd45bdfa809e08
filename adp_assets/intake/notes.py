"""What is odd about a task that can be run all the same, told where it is read."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache

import msgspec

from runtimes.contracts import TaskSpec
from runtimes.registry import BUILT_IN
from runtimes.tools.constraints import CONSTRAINTS
from runtimes.tools.toolbox import Toolbox

FIELDS = TaskSpec.__struct_fields__
ALIKE = 0.75
"""How near a name must come to a known one to be taken for a slip, from 0 to 1, as difflib counts."""


class Notes:
    """Tells what is odd about tasks; `toolbox` is what their agents will be given tools from."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self._tools = cache(self._of_tools)

    def of(self, content: bytes, task: TaskSpec) -> list[str]:
        """What to tell of a line and the task that it is.

        Tasks may carry foreign fields, so that only near misses are told; a constraint that nobody reads does
        not constrain, save where a runtime of somebody's own may read it.
        """
        said = [
            f"unknown field `{name}`, did you mean `{near}`?"
            for name in msgspec.json.decode(content, type=dict[str, msgspec.Raw])
            if name not in FIELDS and (near := _near(name, FIELDS))
        ]
        for name in task.constraints:
            near = "" if name in CONSTRAINTS else _near(name, CONSTRAINTS)
            if near:
                said.append(f"unknown constraint `{name}`, did you mean `{near}`?")
            elif name not in CONSTRAINTS and task.task_type in BUILT_IN:
                said.append(
                    f"unknown constraint `{name}`, which nothing reads: {', '.join(CONSTRAINTS)} are."
                )
        return said + self._tools(tuple(task.expected_tools))

    def _of_tools(self, expected: tuple[str, ...]) -> list[str]:
        _, missing = self._toolbox.toolset(expected, ())
        names = self._toolbox.names()
        told = []
        for name in missing:
            near = _near(name, names)
            way_out = f"did you mean `{near}`?" if near else "see `adp tools list`."
            told.append(f"its agent will not have the tool {name}: {way_out}")
        return told


def _near(name: str, known: list[str] | tuple[str, ...]) -> str:
    return next(iter(get_close_matches(name.lower(), known, n=1, cutoff=ALIKE)), "")
