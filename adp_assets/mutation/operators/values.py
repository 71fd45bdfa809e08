"""The operator that keeps the task and changes what it is about."""

from __future__ import annotations

from adp_assets.mutation.operators.base import Operator


class Parameter(Operator):
    name = "parameter"
    instruction = (
        "Keep the kind of task and its difficulty; change the values it is about: other numbers, names, "
        "items."
    )
    for_failures = True
