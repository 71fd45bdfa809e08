"""Every abuse of `abuse/`, tried in every backend this host offers, as root and as an unprivileged user.

That each can succeed where no sandbox is in its way is shown by `test_abuse_controls.py`; what this host
cannot show is left out here too.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from sandbox import Limits, SandboxUnavailable
from sandbox.backends.choice import BACKENDS
from tests.sandbox.abuse import PROBES
from tests.sandbox.abuse.control import run_unprotected
from tests.sandbox.abuse.host import Host
from tests.sandbox.abuse.probe import Probe, verdict
from tests.sandbox.conftest import eventually
from tests.sandbox.hosts import pool_of
from tests.sandbox.traces import traces

LIMITS = Limits(wall_seconds=20)
OPEN: dict[str, set[str]] = {
    "zygote": set(),
    "nsjail": set(),
    "bubblewrap": set(),
    # What only namespaces hide, and what takes an own user id to count: why it is taken on request only.
    "landlock": {"the name of the host", "twice the granted processes"},
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("user", ["own", "unprivileged"])
async def test_every_abuse_is_blocked_and_leaves_nothing_behind(user: str, backend: str) -> None:
    shown = [probe for probe in PROBES if not run_unprotected(probe).cannot]
    assert len(shown) >= 100, "this host can show too few of the probes"
    before = traces()
    with Host(dataclasses.asdict(LIMITS)) as host:
        try:
            async with pool_of(user, backend, minimum=frozenset()) as pool:
                await pool.check()
                said = dict(await asyncio.gather(*(answer(pool, probe, host) for probe in shown)))
        except SandboxUnavailable as error:
            pytest.skip(f"untested here: {error}")
        unblocked = {name: text for name, text in said.items() if verdict(text) != "blocked"}
        assert {name: text for name, text in unblocked.items() if name not in OPEN[backend]} == {}
        assert host.harmed() == []
    await eventually(lambda: traces() <= before)


async def answer(pool: Any, probe: Probe, host: Host) -> tuple[str, str]:
    """A probe's name and all that it said."""
    result = await pool.run(code=probe.program(host), limits=LIMITS)
    return probe.name, result.stdout if verdict(result.stdout) != "broken" else str(result)
