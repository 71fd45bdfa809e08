"""Grades submitted Python by calling it in a fresh sandbox and comparing what comes back, outside of it.

The expected values never enter the sandbox: the code under test is given calls only, so nothing it can read,
patch or print tells it what would pass.
"""

from __future__ import annotations

import ast
import json
import math
import re
from typing import Annotated, Any

from msgspec import Meta, Struct

from runtimes.contracts import Trajectory
from runtimes.errors import InfrastructureError, InvalidTask
from runtimes.grading.base import SPEC_PLACE, VerifierKind
from runtimes.services import Services
from runtimes.world import World
from sandbox import SandboxError

RESULTS = "graded.json"
_FENCED = re.compile(r"```(?:python|py)?\s*\n(.*?)```", re.DOTALL)

_HARNESS = """
import json, sys
source, calls = json.load(open("submission.json"))
names = {"__name__": "submission"}
exec(compile(source, "submission.py", "exec"), names)
values = []
for call in calls:
    try:
        values.append({"value": eval(call, names)})
    except BaseException as error:
        values.append({"error": f"{type(error).__name__}: {error}"[:200]})
def plain(value):
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return repr(value)
with open("%s", "w") as file:
    json.dump(values, file, default=plain)
"""


class Case(Struct, frozen=True, forbid_unknown_fields=True):
    """A Python expression over the submitted names, and its value as JSON has it (a tuple is a list)."""

    call: str
    expected: Any


class PythonTestsSpec(Struct, frozen=True, forbid_unknown_fields=True):
    cases: Annotated[list[Case], Meta(min_length=1)]


class PythonTests(VerifierKind[PythonTestsSpec]):
    """Every case's call must give its expected value; the reward is 1 or 0, not a share."""

    Spec = PythonTestsSpec

    def read(self, spec: dict[str, Any]) -> PythonTestsSpec:
        read = super().read(spec)
        for index, case in enumerate(read.cases):
            try:
                ast.parse(case.call.strip(), mode="eval")
            except (SyntaxError, ValueError) as error:
                place = f"{SPEC_PLACE}.cases[{index}].call"
                raise InvalidTask(
                    f"{case.call!r} is no Python expression: {error} - at `{place}`."
                ) from error
        return read

    async def grade(
        self, spec: PythonTestsSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        if not isinstance(trajectory.final_result, str):
            return 0.0, "there is no submitted code"
        submission = json.dumps([source_of(trajectory.final_result), [case.call for case in spec.cases]])
        try:
            async with services.sandboxes.session(limits=services.limits) as session:
                await session.write("submission.json", submission.encode())
                result = await session.run(code=_HARNESS % RESULTS)
                if result.status != "ok":
                    return 0.0, f"the submitted code ended with {result.status}"
                values = _decoded(await session.read(RESULTS))
        except SandboxError as error:
            raise InfrastructureError("system_error", f"The grader's sandbox failed: {error}") from error
        except (OSError, ValueError, RecursionError) as error:
            return 0.0, f"the submitted code left no readable results: {error}"
        return _compare(spec.cases, values)


def source_of(answer: str) -> str:
    """The code in an answer: what its longest fence holds, or all of it where there is no fence."""
    fenced = _FENCED.findall(answer)
    return max(fenced, key=len) if fenced else answer


def _decoded(data: bytes) -> list[dict[str, Any]]:
    values = json.loads(data)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise ValueError("not a list of results")
    return values


def _compare(cases: list[Case], values: list[dict[str, Any]]) -> tuple[float, str]:
    if len(values) != len(cases):
        return 0.0, f"{len(values)} results for {len(cases)} cases"
    for number, (case, value) in enumerate(zip(cases, values, strict=True), start=1):
        if "error" in value:
            return 0.0, f"case {number} of {len(cases)}, {case.call}: raised {str(value['error'])[:200]}"
        if not same_json(value.get("value"), case.expected):
            return 0.0, f"case {number} of {len(cases)}, {case.call}: a wrong value"
    return 1.0, f"all {len(cases)} cases pass"


def same_json(value: Any, expected: Any) -> bool:
    """Equality of two JSON values; true and 1 differ, 1 and 1.0 do not, floats are close to 1e-9."""
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    if isinstance(value, int | float) and isinstance(expected, int | float):
        return value == expected or _close(value, expected)
    if isinstance(value, list) and isinstance(expected, list):
        return len(value) == len(expected) and all(map(same_json, value, expected))
    if isinstance(value, dict) and isinstance(expected, dict):
        return value.keys() == expected.keys() and all(same_json(value[k], expected[k]) for k in value)
    return bool(value == expected)


def _close(value: float, expected: float) -> bool:
    """Whether two floats are close; whole numbers have to be equal, however large."""
    if isinstance(value, int) and isinstance(expected, int):
        return False
    try:
        return math.isclose(value, expected, rel_tol=1e-9)
    except OverflowError:
        return False
