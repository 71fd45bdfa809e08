"""Operators that build larger tasks: deeper by a sub-task, wider by a second task, with a further tool.

Depth and width follow TaskCraft (arXiv 2506.10055), which extends atomic tasks in these two directions.
"""

from __future__ import annotations

from adp_assets.mutation.operators.base import Operator
from runtimes.contracts import Essence, TaskSpec

MOST_PARTS = 2
"""Tasks that one may be built of: with more, descriptions grow and the chance to do all of it right falls."""


def parts_of(task: TaskSpec) -> int:
    """Of how many tasks this one was built by depth and width."""
    parts = task.metadata.get("parts", 1)
    return parts if isinstance(parts, int) else 1


class Depth(Operator):
    name = "depth"
    instruction = (
        "Make the task deeper: replace one value it gives by the result of a sub-task that has to be solved "
        "first, described in the same text. The rest stays as it is, and so does the kind of answer."
    )

    def fits(self, essence: Essence, parent: TaskSpec) -> bool:
        return parts_of(parent) < MOST_PARTS


class Width(Operator):
    name = "width"
    instruction = (
        "Merge the parent and the partner into one task whose one answer, or whose one state of the world, "
        "shows that both were done. Keep the values of both and say in which form the answer is to be."
    )
    takes_partner = True

    def fits(self, essence: Essence, parent: TaskSpec) -> bool:
        return parts_of(parent) < MOST_PARTS


class ToolExtension(Operator):
    name = "tool_extension"
    instruction = (
        "Extend the task so that one more of the available tools is needed besides those of the parent: to "
        "fetch, keep, compute or ask for something that the answer depends on."
    )

    def fits(self, essence: Essence, parent: TaskSpec) -> bool:
        return parts_of(parent) < MOST_PARTS
