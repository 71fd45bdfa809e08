"""Grades a submitted program by what it prints for what it is given to read."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from runtimes.contracts import Trajectory
from runtimes.errors import InvalidTask
from runtimes.grading.base import SPEC_PLACE, VerifierKind
from runtimes.grading.jails import MOST_WALL_SECONDS, check_limits, jailed, with_limits
from runtimes.grading.python_tests import source_of
from runtimes.services import Services
from runtimes.world import World

PROGRAM, INPUT = "main.py", "stdin.txt"
_START = f"""
import os, sys
os.dup2(os.open({INPUT!r}, os.O_RDONLY), 0)
os.unlink({INPUT!r})
sys.argv[:] = [{PROGRAM!r}]
exec(compile(open({PROGRAM!r}, "rb").read(), {PROGRAM!r}, "exec"), sys.modules["__main__"].__dict__)
"""


class StdioCase(Struct, frozen=True, forbid_unknown_fields=True):
    """What the program reads, and what it then has to print."""

    stdout: str
    stdin: str = ""


class StdioSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """`compare` holds the output against what is expected by `lines`, `tokens`, or `exact`.

    Of lines, spaces at their ends and empty ones at the end of all do not count; of tokens, no white space
    does, and numbers among them may differ by `tolerance`.
    """

    cases: Annotated[list[StdioCase], Meta(min_length=1)]
    compare: Literal["lines", "tokens", "exact"] = "lines"
    tolerance: Annotated[float, Meta(ge=0)] = 0.0
    limits: dict[str, int | float] = {}


class Stdio(VerifierKind[StdioSpec]):
    """The program, run anew in a fresh sandbox for each case, prints the right output and exits with 0."""

    Spec = StdioSpec

    def read(self, spec: dict[str, Any]) -> StdioSpec:
        read = super().read(spec)
        check_limits(read.limits)
        if read.tolerance and read.compare != "tokens":
            raise InvalidTask(f"a tolerance is for `compare`: 'tokens' only - at `{SPEC_PLACE}.tolerance`.")
        return read

    def needs_sandbox(self, spec: StdioSpec) -> bool:
        return True

    async def grade(
        self, spec: StdioSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        if not isinstance(trajectory.final_result, str):
            return 0.0, "there is no submitted program"
        source = source_of(trajectory.final_result).encode(errors="replace")
        limits = with_limits(services.limits, spec.limits)
        seconds = 0.0
        for number, case in enumerate(spec.cases, start=1):
            place = f"case {number} of {len(spec.cases)}"
            files = {PROGRAM: source, INPUT: case.stdin.encode()}
            left = replace(limits, wall_seconds=min(limits.wall_seconds, MOST_WALL_SECONDS - seconds))
            try:
                async with jailed(services):
                    result = await services.sandboxes.run(code=_START, files=files, limits=left)
            except OSError as error:
                return 0.0, f"{place}: the program and its input do not fit the sandbox: {error}"
            seconds += result.wall_seconds
            if not result.ok:
                return 0.0, f"{place}: the program ended with {result.status}"
            if not same_output(spec, result.stdout, case.stdout):
                return 0.0, f"{place}: a wrong output"
            if seconds >= MOST_WALL_SECONDS:
                return 0.0, f"{place}: the program took {MOST_WALL_SECONDS:g} s for the cases so far"
        return 1.0, f"all {len(spec.cases)} cases pass"


def same_output(spec: StdioSpec, output: str, expected: str) -> bool:
    """Whether a program printed what it should, as `spec.compare` has it."""
    if spec.compare == "exact":
        return output == expected
    if spec.compare == "lines":
        return _lines(output) == _lines(expected)
    found, wanted = output.split(), expected.split()
    same = len(found) == len(wanted)
    return same and all(_same_token(a, b, spec.tolerance) for a, b in zip(found, wanted, strict=True))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def _same_token(token: str, expected: str, tolerance: float) -> bool:
    if token == expected:
        return True
    try:
        number, wanted = float(token), float(expected)
    except ValueError:
        return False
    return bool(tolerance) and math.isclose(number, wanted, rel_tol=0, abs_tol=tolerance)
