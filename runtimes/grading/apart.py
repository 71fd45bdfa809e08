"""Runs tests and the code they test in two sandboxes, and carries what they say to each other.

The code under test gets calls and gives values. The tests, with all they expect, run where it cannot reach:
no file, frame, builtin or comparison of theirs is in its process, and what it returns comes as plain data.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from runtimes.grading.inside.line import OUT, REPORT
from runtimes.grading.inside.tests import TEST_FILE
from runtimes.grading.jails import MOST_RESULT_BYTES, inside, jailed, packages
from runtimes.services import Services
from runtimes.text import shallow
from sandbox import Limits, Session

MOST_EXCHANGES = 10_000
MOST_MESSAGE_BYTES = 8 << 20


class NoVerdict(Exception):
    """The code under test kept the tests from their end; the text says how."""


@dataclass(frozen=True)
class TestPlan:
    """What is to be asked of a submission: expressions in `calls` or, without any, a file of `tests`.

    `names` are those of the submission that they use, `classes` those of them whose objects may be used,
    `modules` those of Python that they use without importing them.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    calls: tuple[str, ...] = ()
    tests: str = ""
    module: str = "solution"
    in_place: bool = False
    modules: tuple[str, ...] = ()


async def run_apart(plan: TestPlan, source: str, services: Services, limits: Limits) -> dict[str, Any]:
    """What the side of the tests reports (`inside.tests`). Raises NoVerdict, InfrastructureError."""
    files = inside("wire", "line", "stand_ins", "tests")
    profile = None
    if plan.tests:
        files[TEST_FILE] = plan.tests.encode()
        profile = packages("tests", "pytest")
    async with (
        jailed(services),
        services.sandboxes.session(files=files, limits=limits, profile=profile) as tests,
        services.sandboxes.session(files=inside("wire", "line", "submission"), limits=limits) as code,
    ):
        return await _converse(
            _Side(tests, "the tests", limits), _Side(code, "the submitted code", limits), plan, source
        )


async def _converse(tests: _Side, code: _Side, plan: TestPlan, source: str) -> dict[str, Any]:
    arguments = {
        "names": list(plan.names),
        "classes": list(plan.classes),
        "in_place": plan.in_place,
        "module": plan.module,
        "calls": list(plan.calls),
        "modules": list(plan.modules),
    }
    await code.begin("from runtimes.grading.inside.submission import Submission\nline = Submission().line")
    await tests.begin(
        f"from runtimes.grading.inside import tests\nline = tests.run({source!r}, **{arguments!r})"
    )
    message = await tests.carry("")
    for _ in range(MOST_EXCHANGES):
        if message.startswith(REPORT):
            return _report(message[1:])
        message = await tests.carry((await code.carry(message[1:]))[1:])
    raise NoVerdict(f"the tests and the submitted code talked more than {MOST_EXCHANGES:,} times")


def _report(text: str) -> dict[str, Any]:
    """What the tests report, which may hold values and words of the submission's. Raises NoVerdict."""
    if len(text) > MOST_RESULT_BYTES:
        raise NoVerdict(f"the submitted code gave more than {MOST_RESULT_BYTES >> 20} MiB")
    try:
        # Not msgspec's decoder, which takes no lone surrogate and no NaN.
        report: dict[str, Any] = shallow(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise NoVerdict(f"the tests left no readable report: {error}") from error
    return report


@dataclass
class _Side:
    """One of the two sandboxes, which together with all it did may take `limits.wall_seconds`."""

    session: Session
    name: str
    limits: Limits
    seconds: float = field(default=0.0, init=False)

    async def begin(self, code: str) -> None:
        await self._step(code)

    async def carry(self, message: str) -> str:
        """Hand over a message; what is said to it, its kind first."""
        await self._step(f"_ = line.carry({message!r})")
        try:
            data = await self.session.read(OUT)
        except OSError as error:
            raise NoVerdict(f"{self.name} said nothing: {error}") from error
        if len(data) > MOST_MESSAGE_BYTES:
            raise NoVerdict(f"{self.name} gave more than {MOST_MESSAGE_BYTES >> 20} MiB at once")
        return data.decode(errors="replace")

    async def _step(self, code: str) -> None:
        result = await self.session.step(code)
        self.seconds += result.wall_seconds
        if result.status != "ok":
            raise NoVerdict(f"{self.name} ended with {result.status}")
        if self.seconds > self.limits.wall_seconds:
            raise NoVerdict(f"{self.name} took longer than {self.limits.wall_seconds:g} s")
