"""Grades submitted Python by what it returns: against known values, or by tests written as Python.

The expected values never enter the sandbox of the code under test: it is given calls only, so nothing it can
read, patch or print tells it what would pass. Calls of plain arguments it carries out by itself, and the
values are compared here; whatever else is to be evaluated, an operator or a test, is evaluated apart from it.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from msgspec import Struct

from runtimes.contracts import Trajectory
from runtimes.errors import InvalidTask
from runtimes.grading.apart import NoVerdict, TestPlan, run_apart
from runtimes.grading.base import SPEC_PLACE, VerifierKind
from runtimes.grading.jails import MOST_RESULT_BYTES, check_limits, jailed, with_limits
from runtimes.grading.python_text import modules_used, names_used, only_builtins, plain_call
from runtimes.grading.values import same_json
from runtimes.services import Services
from runtimes.text import shallow
from runtimes.world import World
from sandbox import Limits

RESULTS = "graded.json"
CHECK = "check"
"""The function in which HumanEval's tests take the submitted one."""
_FENCED = re.compile(r"```(?:python|py)?\s*\n(.*?)```", re.DOTALL)

_HARNESS = """
import json, sys
source, calls = json.load(open("submission.json"))
module = sys.modules["submission"] = type(sys)("submission")
names = module.__dict__
exec(compile(source, "submission.py", "exec"), names)
values = []
for name, call in calls:
    try:
        if name not in names:
            raise NameError(f"name {name!r} is not defined")
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
    """Either `cases` or `tests`: the text of a test file, of plain asserts, or with HumanEval's `check`.

    Tests import the submission as `module`, or just name what is in it. `entry_point` is what `check` is
    given. Objects of the submission's own are let in from `classes`, by default from every name the tests use
    that begins with a capital; anything else must return data. `in_place` hands changed arguments back.
    """

    cases: list[Case] = []
    tests: str = ""
    entry_point: str = ""
    module: str = "solution"
    classes: list[str] | None = None
    in_place: bool = False
    limits: dict[str, int | float] = {}


class PythonTests(VerifierKind[PythonTestsSpec]):
    """Every case or test must pass; the reward is 1 or 0, not a share."""

    Spec = PythonTestsSpec

    def read(self, spec: dict[str, Any]) -> PythonTestsSpec:
        read = super().read(spec)
        if bool(read.cases) == bool(read.tests.strip()):
            raise InvalidTask(f"exactly one of `cases` and `tests` is given, not empty - at `{SPEC_PLACE}`.")
        check_limits(read.limits)
        for index, case in enumerate(read.cases):
            place = f"{SPEC_PLACE}.cases[{index}].call"
            _check_python(case.call.strip(), "eval", place)
            if plain_call(case.call) is None and only_builtins(case.call):
                raise InvalidTask(f"{case.call!r} uses nothing of a submission's - at `{place}`.")
        if read.tests:
            _check_tests(read)
        return read

    def needs_sandbox(self, spec: PythonTestsSpec) -> bool:
        return True

    async def grade(
        self, spec: PythonTestsSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        if not isinstance(trajectory.final_result, str):
            return 0.0, "there is no submitted code"
        source = source_of(trajectory.final_result)
        limits = with_limits(services.limits, spec.limits)
        try:
            if spec.tests:
                return _of_report(await run_apart(_plan(spec), source, services, limits))
            called = [plain_call(case.call) for case in spec.cases]
            if None not in called:
                calls = [[name, case.call] for name, case in zip(called, spec.cases, strict=True)]
                values = await _values(calls, source, services, limits)
            else:
                report = await run_apart(_plan(spec), source, services, limits)
                if "fault" in report:
                    return 0.0, str(report["fault"])
                values = report["values"]
        except NoVerdict as error:
            return 0.0, str(error)
        return _compare(spec.cases, values)


def source_of(answer: str) -> str:
    """The code in an answer: what its longest fence holds, or all of it where there is no fence."""
    fenced = _FENCED.findall(answer)
    return max(fenced, key=len) if fenced else answer


def _plan(spec: PythonTestsSpec) -> TestPlan:
    tests = _completed(spec) if spec.tests else ""
    source = tests or "\n".join(case.call.strip() for case in spec.cases)
    names, modules = names_used(source, spec.module), modules_used(source)
    classes = spec.classes if spec.classes is not None else [name for name in names if name[:1].isupper()]
    calls = tuple(case.call.strip() for case in spec.cases)
    return TestPlan(
        tuple(names), tuple(classes), calls, tests, spec.module, spec.in_place, modules=tuple(modules)
    )


def _completed(spec: PythonTestsSpec) -> str:
    """The tests with one more: HumanEval's `check` where there is one, else that the file ran to its end."""
    lines = [f"from {spec.module} import {spec.entry_point}", f"{CHECK}({spec.entry_point})"]
    body = "\n    ".join(lines) if _defines_check(spec.tests) else "pass"
    return f"{spec.tests}\n\n\ndef test_the_whole_file():\n    {body}\n"


def _check_tests(spec: PythonTestsSpec) -> None:
    """Raise InvalidTask for tests that could not run, whatever was submitted."""
    _check_python(spec.tests, "exec", f"{SPEC_PLACE}.tests")
    if not spec.module.isidentifier():
        raise InvalidTask(f"{spec.module!r} is no name of a module - at `{SPEC_PLACE}.module`.")
    if _defines_check(spec.tests) and not spec.entry_point.isidentifier():
        raise InvalidTask(
            f"the tests define {CHECK}(candidate), and {spec.entry_point!r} names no function that is the "
            f"candidate - at `{SPEC_PLACE}.entry_point`."
        )


def _defines_check(tests: str) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == CHECK for node in ast.parse(tests).body)


def _check_python(source: str, mode: str, place: str) -> None:
    """Raise InvalidTask unless this is an expression (`eval`) or a program (`exec`)."""
    try:
        compile(source, "<verifier>", mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        kind, shown = ("expression", source) if mode == "eval" else ("program", source[:40] + "...")
        raise InvalidTask(f"{shown!r} is no Python {kind}: {error} - at `{place}`.") from error


async def _values(
    calls: list[list[Any]], source: str, services: Services, limits: Limits
) -> list[dict[str, Any]]:
    """What the submission says its calls, each after the name that it calls, give. Raises NoVerdict."""
    submission = json.dumps([source, calls])
    try:
        async with jailed(services), services.sandboxes.session(limits=limits) as session:
            await session.write("submission.json", submission.encode())
            result = await session.run(code=_HARNESS % RESULTS)
            if result.status != "ok":
                raise NoVerdict(f"the submitted code ended with {result.status}")
            data = await session.read(RESULTS)
        if len(data) > MOST_RESULT_BYTES:
            raise NoVerdict(f"the submitted code gave more than {MOST_RESULT_BYTES >> 20} MiB")
        values = shallow(json.loads(data))
    except (OSError, ValueError, RecursionError) as error:
        raise NoVerdict(f"the submitted code left no readable results: {error}") from error
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise NoVerdict("the submitted code left no readable results: not a list of results")
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


def _of_report(report: dict[str, Any]) -> tuple[float, str]:
    if "fault" in report:
        return 0.0, str(report["fault"])
    if report["failed"]:
        return 0.0, f"failed: {', '.join(map(str, report['failed']))[:300]}"
    if report["exit_code"] or not report["passed"]:
        return 0.0, f"the tests did not come to their end (pytest's exit code {report['exit_code']})"
    return 1.0, "all tests pass"
