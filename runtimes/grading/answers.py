"""Verifiers that compare the agent's final answer with a known one: exact text, or a number."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Annotated, Any

from msgspec import Meta, Struct

from runtimes.contracts import Trajectory
from runtimes.grading.base import VerifierKind
from runtimes.services import Services
from runtimes.world import World

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d))(?:[eE][-+]?\d+)?")


class ExactSpec(Struct, frozen=True, forbid_unknown_fields=True):
    expected: str


class Exact(VerifierKind[ExactSpec]):
    """The answer is the expected text, letter case, width and outer space aside."""

    Spec = ExactSpec

    async def grade(
        self, spec: ExactSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        return same_text(trajectory.final_result, spec.expected)


class NumericSpec(Struct, frozen=True, forbid_unknown_fields=True):
    expected: float
    tolerance: Annotated[float, Meta(ge=0)] = 1e-6


class Numeric(VerifierKind[NumericSpec]):
    """The last number in the answer is the expected one, within an absolute tolerance."""

    Spec = NumericSpec

    async def grade(
        self, spec: NumericSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        return same_number(trajectory.final_result, spec.expected, spec.tolerance)


def same_text(answer: Any, expected: str) -> tuple[float, str]:
    if answer is None:
        return 0.0, "there is no answer"
    if _folded(str(answer)) == _folded(expected):
        return 1.0, "the answer is the expected text"
    return 0.0, f"the answer {_shown(answer)} is not the expected text"


def same_number(answer: Any, expected: float, tolerance: float) -> tuple[float, str]:
    number = last_number(str(answer)) if answer is not None else None
    if number is None:
        return 0.0, f"there is no number in the answer {_shown(answer)}"
    if math.isclose(number, expected, rel_tol=1e-9, abs_tol=tolerance):
        return 1.0, "the answer's number is the expected one"
    return 0.0, f"the answer's number {number:g} is not the expected one"


def last_number(text: str) -> float | None:
    """The last number written in `text`, thousands separators allowed; None where there is none."""
    plain = unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-")
    found = [m.group() for m in _NUMBER.finditer(plain) if m.group()]
    return float(found[-1].replace(",", "")) if found else None


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _shown(answer: Any) -> str:
    text = str(answer)
    return repr(text if len(text) <= 80 else text[:77] + "...")
