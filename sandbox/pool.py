"""How many runs go on at once, which jails are alive, and whether this machine can make one at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType

from sandbox.bubblewrap import Bubblewrap
from sandbox.contracts import Backend, Jail, Limits, Result
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.session import Session

CANARY = """
import os, subprocess, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
walls = {
    "not root": os.getuid() != 0,
    "no capabilities": int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0,
    "no new privileges": int(status["NoNewPrivs"]) == 1,
    "system-call filter": int(status["Seccomp"]) == 2,
    "own processes": all(int(name) < 100 for name in os.listdir("/proc") if name.isdigit()),
    "own network": len(open("/proc/net/dev").readlines()) <= 3,
    "no host files": not os.path.exists("/etc/shadow") and not os.path.exists("/root"),
    "read-only system": not any(os.access(path, os.W_OK) for path in ("/", "/usr", "/dev", "/etc")),
    "child processes": subprocess.run(["/bin/true"]).returncode == 0,
}
sys.exit(", ".join(name for name, stands in walls.items() if not stands) or 0)
"""


class SandboxPool:
    """Runs untrusted code in jails, `slots` runs at once; idle sessions hold no slot.

    An async context manager: when it is left, no process and no file of any jail remains.
    """

    def __init__(self, slots: int = 4, backend: Backend | None = None) -> None:
        if slots < 1:
            raise ValueError(f"slots is {slots}. Give at least 1.")
        self._backend = backend or Bubblewrap()
        self._slots = asyncio.Semaphore(slots)
        self._jails: set[Jail] = set()
        self._closed = False

    @property
    def protections(self) -> tuple[str, ...]:
        """What stands between the code and the host in every jail of this pool."""
        return self._backend.protections

    async def __aenter__(self) -> SandboxPool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Kill every jail, also those of sessions still open. Safe to call twice."""
        self._closed = True
        await asyncio.gather(*(self.kill_jail(jail) for jail in list(self._jails)))

    async def run(
        self,
        *,
        code: str | None = None,
        shell: str | None = None,
        argv: Sequence[str] | None = None,
        limits: Limits | None = None,
    ) -> Result:
        """One run in a jail of its own, as `Session.run`; raises as it does."""
        session = Session(self, limits or Limits())
        try:
            return await session.run(code=code, shell=shell, argv=argv)
        finally:
            await session.close()

    @asynccontextmanager
    async def session(self, *, limits: Limits | None = None) -> AsyncIterator[Session]:
        """A session, whose workspace lasts until the block is left. Raises SandboxUnavailable."""
        session = Session(self, limits or Limits())
        try:
            await session.open()
            yield session
        finally:
            await session.close()

    async def check(self) -> None:
        """Run code in a jail that looks for every wall; raises SandboxUnavailable naming what is missing."""
        result = await self.run(code=CANARY)
        if not result.ok:
            raise SandboxUnavailable(
                f"A jail was made, but its walls do not stand: {result.status}, {result.stderr.strip()}.",
                "Run on a newer kernel or outside the container that weakens it.",
            )

    def slot(self) -> AbstractAsyncContextManager[None]:
        """Wait for one of the pool's slots and hold it."""
        return self._slots

    async def start_jail(self, limits: Limits) -> Jail:
        """A new jail that dies with the pool at the latest."""
        jail = await self._backend.start(limits)
        self._jails.add(jail)
        if self._closed:
            await self.kill_jail(jail)
            raise SandboxError("The sandbox pool is closed.", "Use it inside its `async with` block.")
        return jail

    async def kill_jail(self, jail: Jail) -> None:
        """End a jail; returns when nothing of it is left."""
        try:
            await jail.kill()
        finally:
            self._jails.discard(jail)
