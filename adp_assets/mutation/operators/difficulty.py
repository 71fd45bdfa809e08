"""Operators that move a task's difficulty: up, down, or up by a condition on the result."""

from __future__ import annotations

from adp_assets.mutation.operators.base import BuildingOperator, Operator
from runtimes.contracts import Essence, TaskSpec


class ComplexityUp(Operator):
    name = "complexity_up"
    instruction = (
        "Make the task harder by one clear step: one more condition, item or operation. Keep it solvable."
    )

    def fits(self, essence: Essence, parent: TaskSpec) -> bool:
        return essence.complexity_level != "complex"


class ComplexityDown(Operator):
    name = "complexity_down"
    instruction = "Make the task easier by one clear step: drop a condition, an item or an operation."
    for_failures = True

    def fits(self, essence: Essence, parent: TaskSpec) -> bool:
        return essence.complexity_level != "simple"


class Constraint(BuildingOperator):
    name = "constraint"
    instruction = (
        "Keep the task and add one constraint on its result that a check can see: a form, a rounding, a "
        "bound, something that must not be in it. Change the values as well."
    )
