"""The sandboxes of these tests, shared, and a short way to a verdict."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest_asyncio

from runtimes.contracts import Grade, Trajectory, Verifier
from runtimes.grading.base import grade
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from runtimes.world import World
from sandbox import Limits, SandboxPool
from tests.runtimes.scripted import ScriptedModel, finishes

Grader = Callable[[str, dict[str, Any], Any], Awaitable[Grade]]


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def services() -> AsyncIterator[Services]:
    limits = Limits(wall_seconds=20, memory_mb=64)
    async with Services(ScriptedModel(finishes()), SandboxPool(slots=4), BrowserPool(), limits) as opened:
        yield opened


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def graded(services: Services) -> Grader:
    """The verdict of a verifier on an answer."""

    async def run(kind: str, spec: dict[str, Any], answer: Any) -> Grade:
        trajectory = Trajectory(task_id="t", runtime_id="r", final_result=answer)
        return await grade(Verifier(kind, spec), trajectory, services, World())

    return run
