"""A pool for each test, and eyes on the host: which processes carry a marker."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable

import psutil
import pytest

from sandbox import SandboxPool, Session


@pytest.fixture
async def pool() -> AsyncIterator[SandboxPool]:
    async with SandboxPool(slots=4) as pool:
        yield pool


@pytest.fixture
async def session(pool: SandboxPool) -> AsyncIterator[Session]:
    async with pool.session() as session:
        yield session


@pytest.fixture
def marker() -> str:
    """A word to put in a command line inside, to be looked for among the host's processes."""
    return f"marker-{uuid.uuid4().hex}"


def alive(marker: str) -> list[int]:
    """Host pids of processes whose command line holds `marker`."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(marker in word for word in process.info["cmdline"] or [])
    ]


def lingering(marker: str) -> list[str]:
    """A command that runs for five minutes, `marker` in its command line."""
    return ["sh", "-c", "sleep 300; :", marker]


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds; fails after 20 seconds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the host's process list sends no event
            await asyncio.sleep(0.01)


async def seen(marker: str) -> None:
    """Wait until a process with `marker` runs: what makes its absence afterwards mean something."""
    await eventually(lambda: alive(marker))
