"""Operators that build larger tasks: deeper by a sub-task, wider by a second task, with a further tool.

Depth and width follow TaskCraft (arXiv 2506.10055), which extends atomic tasks in these two directions.
"""

from __future__ import annotations

from adp_assets.mutation.operators.base import BuildingOperator


class Depth(BuildingOperator):
    name = "depth"
    instruction = (
        "Make the task deeper: replace one value it gives by the result of a sub-task that has to be solved "
        "first, described in the same text. The rest stays as it is, and so does the kind of answer."
    )


class Width(BuildingOperator):
    name = "width"
    instruction = (
        "Merge the parent and the partner into one task whose one answer, or whose one state of the world, "
        "shows that both were done. Keep the values of both and say in which form the answer is to be."
    )
    takes_partner = True
    adds_part = False


class ToolExtension(BuildingOperator):
    name = "tool_extension"
    instruction = (
        "Extend the task so that one more of the available tools is needed besides those of the parent: to "
        "fetch, keep, compute or ask for something that the answer depends on."
    )
