"""The time of a verdict: whose work counts, whose waiting does not, and who is to blame when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtimes import perform
from runtimes.contracts import Trajectory, Verifier
from runtimes.errors import InfrastructureError
from runtimes.grading.base import VerifierKind
from runtimes.grading.clock import limited, uncounted
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from runtimes.world import World
from sandbox import Limits, SandboxPool
from tests.runtimes.scripted import ScriptedModel, finishes

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLEEPS = "import time\ntime.sleep(60)"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_slot() -> AsyncIterator[Services]:
    limits = Limits(wall_seconds=20)
    async with Services(ScriptedModel(finishes()), SandboxPool(slots=1), BrowserPool(), limits) as opened:
        yield opened


async def graded(services: Services, kind: str, spec: dict[str, Any], answer: str) -> Trajectory:
    sample = Trajectory(task_id="t", runtime_id="r", final_result=answer)
    return await perform.graded(Verifier(kind, spec), sample, services, World())


def hanging(seconds: float) -> dict[str, Any]:
    return {"cases": [{"stdout": "1"}], "limits": {"wall_seconds": seconds}}


async def test_an_honest_answer_is_not_kept_waiting_at_each_step_by_others_that_hang(
    one_slot: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perform, "GRADING_SECONDS", 5.0)
    calls = [{"call": f"double({n}) + 0", "expected": 2 * n} for n in range(8)]

    async def hang() -> None:
        while True:
            await graded(one_slot, "stdio", hanging(0.5), SLEEPS)

    cheats = [asyncio.create_task(hang()) for _ in range(4)]
    await asyncio.sleep(0)
    try:
        honest = await graded(one_slot, "python_tests", {"cases": calls}, "def double(n): return 2 * n")
    finally:
        for cheat in cheats:
            cheat.cancel()
        await asyncio.wait(cheats)
    assert honest.outcome == "solved", honest.grade_reason


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("stdio", hanging(60)),
        ("python_tests", {"cases": [{"call": "f(1)", "expected": 1}]}),
        ("python_tests", {"cases": [{"call": "f(1) + 0", "expected": 1}]}),
    ],
)
async def test_what_takes_all_the_time_of_its_verdict_gets_none(
    one_slot: Services, kind: str, spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perform, "GRADING_SECONDS", 0.5)
    found = await graded(one_slot, kind, spec, SLEEPS)
    assert (found.outcome, found.reward) == ("unsolved", 0.0)
    assert "longer than 0.5 s in all" in found.grade_reason


@pytest.mark.parametrize(
    ("raised", "said"), [(None, "no verdict within 0.01 s"), (TimeoutError("mine"), "mine")]
)
async def test_a_verifier_that_hangs_is_told_from_one_that_ran_out_of_a_time_of_its_own(
    one_slot: Services, raised: Exception | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stuck(VerifierKind[Any]):
        def read(self, spec: dict[str, Any]) -> Any:
            return spec

        async def grade(self, *_: Any) -> tuple[float, str]:
            if raised is not None:
                raise raised
            await asyncio.Event().wait()
            return 1.0, "never"

    monkeypatch.setattr("runtimes.plugins.load", lambda group: {"stuck": Stuck})
    monkeypatch.setattr(perform, "GRADING_SECONDS", 0.01)
    with pytest.raises((InfrastructureError, TimeoutError), match=said):
        await graded(one_slot, "stuck", {}, "")


async def test_what_is_waited_for_does_not_count_and_what_comes_after_it_does() -> None:
    waited = asyncio.Event()

    async def work() -> None:
        async with limited(0.02):
            with uncounted():
                await asyncio.sleep(0.05)
            waited.set()
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await work()
    assert waited.is_set()
