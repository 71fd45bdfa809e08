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

MOST_CHARACTERS = 10_000
"""Of a text that is searched for a number. To bring a million into plain spelling would take seconds."""

_MOST_SHRINKING = 8
"""A text brought into plain spelling is no shorter than this share of what it was, white space aside."""

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d))(?:[eE][-+]?\d+)?")

_LISTING = re.compile(r"(?:[\s,;、，；$€£¥]|(?P<choice>[|/&]|\b(?:or|and)\b|或者?|和|还是))*", re.IGNORECASE)
"""What stands between two members of a list of numbers, and nothing else; `choice` where it is no comma."""


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
    """Within `tolerance`, absolute, or `relative_tolerance`, a share of the expected number."""

    expected: float
    tolerance: Annotated[float, Meta(ge=0)] = 1e-6
    relative_tolerance: Annotated[float, Meta(ge=0, lt=1)] = 1e-9


class Numeric(VerifierKind[NumericSpec]):
    """The last number in the answer is the expected one, and the answer does not list several."""

    Spec = NumericSpec

    async def grade(
        self, spec: NumericSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        return same_number(trajectory.final_result, spec.expected, spec.tolerance, spec.relative_tolerance)


def same_text(answer: Any, expected: str) -> tuple[float, str]:
    if answer is None:
        return 0.0, "there is no answer"
    shown, wanted = " ".join(str(answer).split()), folded(expected)
    if len(shown) <= _MOST_SHRINKING * len(wanted) and folded(shown) == wanted:
        return 1.0, "the answer is the expected text"
    return 0.0, f"the answer {_shown(answer)} is not the expected text"


def same_number(
    answer: Any, expected: float, tolerance: float, relative_tolerance: float = 1e-9
) -> tuple[float, str]:
    number = the_number(str(answer)) if answer is not None else None
    if number is None:
        return 0.0, f"there is no number in the answer {_shown(answer)}, or several to choose from"
    allowed = max(tolerance, relative_tolerance * abs(expected))
    if math.isclose(number, expected, rel_tol=0.0, abs_tol=allowed):
        return 1.0, "the answer's number is the expected one"
    return 0.0, f"the answer's number {number:g} is not the expected one"


def last_number(text: str) -> float | None:
    """The last number at the end of `text`, thousands separators allowed; None where there is none."""
    found = _numbers(_plain(text[-MOST_CHARACTERS:]))
    return _value(found[-1]) if found else None


def the_number(text: str) -> float | None:
    """The last number of an answer; None where there is none, or it is the last of a list of different ones.

    "12 or 13" and "1, 2, 3" leave the choice to whoever reads them, and so do two numbers and nothing else.
    "9 * 2 = 18", "of 7 apples 5" and "in 2023, 12 of them" commit themselves. Nothing is read of one
    longer than MOST_CHARACTERS.
    """
    if len(text) > MOST_CHARACTERS:
        return None
    plain = _plain(text)
    found = _numbers(plain)
    if not found:
        return None
    listed = [found[-1]]
    is_choice = False
    for before in reversed(found[:-1]):
        gap = _LISTING.fullmatch(plain, before.end(), listed[-1].start())
        if gap is None:
            break
        listed.append(before)
        is_choice = is_choice or gap["choice"] is not None
    outside = plain[: listed[-1].start()] + plain[found[-1].end() :]
    values = {_value(match) for match in listed}
    if len(values) > 1 and (is_choice or len(listed) > 2 or not re.search(r"\w", outside)):
        return None
    return _value(found[-1])


def folded(text: str) -> str:
    """What two texts share that differ in letter case, width and outer space only."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _numbers(plain: str) -> list[re.Match[str]]:
    return [match for match in _NUMBER.finditer(plain) if match.group()]


def _value(match: re.Match[str]) -> float:
    return float(match.group().replace(",", ""))


def _plain(text: str) -> str:
    """`text` in plain digits and signs, without characters that nobody sees."""
    shown = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return shown.replace("\N{MINUS SIGN}", "-")


def _shown(answer: Any) -> str:
    text = str(answer)
    return repr(text if len(text) <= 80 else text[:77] + "...")
