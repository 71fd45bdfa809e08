"""A pool for each module, pools on every host at hand, and eyes on the host: what of it is in use.

The tests of a module that use these pools share an event loop as well: `pytestmark = ON_ONE_LOOP`.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from sandbox import SandboxPool, SandboxUnavailable, Session
from sandbox.backends.choice import BACKENDS
from sandbox.profiles import installed_profiles
from tests.sandbox.hosts import pool_of
from tests.sandbox.traces import control_groups

HOSTS = [(user, backend) for user in ("own", "unprivileged") for backend in BACKENDS]
"""Who runs the pool, and by which backend: what holds for one of these holds for all."""


SCIENCE = pytest.mark.skipif(
    len(installed_profiles()) < 2, reason="untested here: the science layer is not built"
)
ON_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[SandboxPool]:
    async with SandboxPool(slots=4) as pool:
        yield pool


@pytest_asyncio.fixture(loop_scope="module")
async def session(pool: SandboxPool) -> AsyncIterator[Session]:
    async with pool.session() as session:
        yield session


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=HOSTS, ids="-".join)
async def host(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A pool of each user and backend, one for the whole module; what cannot be had is skipped: untested."""
    user, backend = request.param
    async with pool_of(user, backend, slots=2, minimum=frozenset()) as pool:
        try:
            await pool.run(code="")
        except SandboxUnavailable as error:
            pytest.skip(f"untested here: {error}")
        yield pool


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


def launchers() -> list[psutil.Process]:
    """The process that started each slot of this process, and waits for it outside."""
    return [child for child in psutil.Process().children() if _is_launcher(child)]


def _is_launcher(child: psutil.Process) -> bool:
    """Also one that is dead and not yet reaped; one that is reaped at this moment is none any more."""
    try:
        # Python's own tracker of what processes share lives on once a test has used multiprocessing.
        return "resource_tracker" not in str(child.cmdline())
    except psutil.ZombieProcess:
        return True
    except psutil.NoSuchProcess:
        return False


def inits() -> list[psutil.Process]:
    """The first process of each slot of this process."""
    found = []
    for launcher in launchers():
        with suppress(psutil.NoSuchProcess):
            found += launcher.children()
    return found


def slot_of(marker: str) -> tuple[psutil.Process, psutil.Process]:
    """The launcher and the init of the slot in which a process with `marker` runs."""
    *_, init, launcher, us = [*psutil.Process(alive(marker)[0]).parents()][: -len(psutil.Process().parents())]
    assert us.pid == os.getpid()
    return launcher, init


def descriptor_kinds() -> Iterator[str]:
    """What each descriptor of this process is of: a file, or a kind such as socket or pipe."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of this listing
            yield os.readlink(f"/proc/self/fd/{name}").partition(":[")[0]


@dataclass(frozen=True)
class Holdings:
    """What this process holds of the machine's; two of them are equal if nothing stayed behind in between."""

    descriptors: dict[str, int]
    mounts: str
    processes: frozenset[int]
    control_groups: frozenset[str]

    @classmethod
    def now(cls) -> Holdings:
        return cls(
            descriptors=Counter(descriptor_kinds()),
            mounts=Path("/proc/self/mountinfo").read_text(),
            processes=frozenset(child.pid for child in psutil.Process().children(recursive=True)),
            control_groups=frozenset(map(str, control_groups())),
        )


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds; fails after 20 seconds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the host's process list sends no event
            await asyncio.sleep(0.01)


async def seen(marker: str) -> None:
    """Wait until a process with `marker` runs: what makes its absence afterwards mean something."""
    await eventually(lambda: alive(marker))
