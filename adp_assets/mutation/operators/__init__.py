"""Operators: each one way to turn an essence into a new task.

Add one with the entry point group `adp.operators`, its name the operator's, its value an `Operator`.
"""

from __future__ import annotations

from adp_assets.mutation.operators.base import Operator
from adp_assets.mutation.operators.difficulty import ComplexityDown, ComplexityUp, Constraint
from adp_assets.mutation.operators.error_injection import ErrorInjection
from adp_assets.mutation.operators.procedural import Puzzle
from adp_assets.mutation.operators.structure import Depth, ToolExtension, Width
from adp_assets.mutation.operators.subject import DomainShift, OtherLanguage
from adp_assets.mutation.operators.values import Parameter
from runtimes import plugins

GROUP = "adp.operators"

PARAMETER = Parameter()
COMPLEXITY_UP = ComplexityUp()
COMPLEXITY_DOWN = ComplexityDown()
CONSTRAINT = Constraint()
DOMAIN_SHIFT = DomainShift()
LANGUAGE = OtherLanguage()
DEPTH = Depth()
WIDTH = Width()
TOOL_EXTENSION = ToolExtension()
ERROR_INJECTION = ErrorInjection()
PUZZLE = Puzzle()

BUILT_IN = (
    PARAMETER,
    COMPLEXITY_UP,
    COMPLEXITY_DOWN,
    CONSTRAINT,
    DOMAIN_SHIFT,
    LANGUAGE,
    DEPTH,
    WIDTH,
    TOOL_EXTENSION,
    ERROR_INJECTION,
    PUZZLE,
)


def operators() -> list[Operator]:
    """Every registered operator, by name."""
    found = plugins.load(GROUP)
    return [found[name] for name in sorted(found)]
