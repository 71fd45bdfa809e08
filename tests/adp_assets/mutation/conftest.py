"""What candidates are worked out with: one set of sandboxes and browsers for all of these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from runtimes.llm.teacher import Teacher
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from sandbox import SandboxPool


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def services() -> AsyncIterator[Services]:
    async with Services(Teacher(error_rate=0.0), SandboxPool(slots=4), BrowserPool()) as opened:
        yield opened
