"""A session: runs and files in one jail, which is replaced when a run costs it. Jails are made elsewhere."""

from __future__ import annotations

import asyncio
import errno
import os
import posixpath
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sandbox.contracts import Jail, JailLost, Limits, Result
from sandbox.errors import SandboxError
from sandbox.report import Report, lost_result
from sandbox.wire import Bounds

if TYPE_CHECKING:
    from sandbox.pool import SandboxPool

FILE_SECONDS = 10.0
GRACE_SECONDS = 2.0
"""How much longer than the wall limit the host waits for the driver, which enforces it first."""


class Session:
    """A private workspace that lasts, and runs in it that do not outlive their call.

    Made by `SandboxPool.session`. One thing happens at a time: calls made at once wait for each other.
    """

    def __init__(self, pool: SandboxPool, limits: Limits) -> None:
        self._pool = pool
        self._limits = limits
        self._lock = asyncio.Lock()
        self._jail: Jail | None = None
        self._closed = False

    async def run(
        self, *, code: str | None = None, shell: str | None = None, argv: Sequence[str] | None = None
    ) -> Result:
        """Run python code, a `sh` script or a program in the workspace, with empty stdin.

        Every process it started is dead when this returns. Python code can import modules of the workspace.
        Raises ValueError unless exactly one of the three is given, SandboxUnavailable when a jail that an
        earlier run cost cannot be replaced. Cancelling it kills the jail and the workspace with it.
        """
        request = _request(code, shell, argv)
        limits = self._limits
        async with self._lock, self._pool.slot():
            jail = await self._open()
            started = time.monotonic()
            try:
                report = await self._call(jail, request, limits.output_bytes, limits.wall_seconds)
            except (JailLost, TimeoutError) as error:
                return lost_result(error, time.monotonic() - started, self._pool.protections)
        return report.result(limits, self._pool.protections)

    async def write(self, path: str, data: bytes) -> None:
        """Write a file of the workspace, making its folders.

        Raises ValueError for a path outside the workspace, else the OSError that writing met inside.
        """
        await self._file_request(path, b"write", data)

    async def read(self, path: str) -> bytes:
        """The bytes of a regular file of the workspace, at most `Limits.file_mb` of them.

        Raises ValueError for a path outside the workspace, else the OSError that reading met inside.
        """
        return await self._file_request(path, b"read")

    async def listdir(self, path: str = ".") -> list[str]:
        """The sorted names in a folder of the workspace. Raises as `read` does."""
        names = await self._file_request(path, b"list")
        return [os.fsdecode(name) for name in names.split(b"\0")] if names else []

    async def open(self) -> None:
        """Make the jail now rather than at the first use. Raises SandboxUnavailable."""
        async with self._lock, self._pool.slot():
            await self._open()

    async def close(self) -> None:
        """End everything in the jail and the workspace with it. Safe to call twice."""
        self._closed = True
        await self._drop()

    async def _file_request(self, path: str, kind: bytes, *data: bytes) -> bytes:
        request = [kind, os.fsencode(_workspace_path(path)), *data]
        async with self._lock:
            jail = await self._open()
            try:
                report = await self._call(jail, request, self._limits.file_mb << 20, FILE_SECONDS)
            except (JailLost, TimeoutError) as error:
                raise SandboxError(
                    f"The sandbox was lost while it handled the file {path!r}, and its workspace with it.",
                    "Start over in this session: it gets a new, empty workspace.",
                ) from error
        if report.stopped == "output_limit":
            raise OSError(errno.EFBIG, f"larger than the limit of {self._limits.file_mb} MB", path)
        if report.exit_code == 0:
            return report.stdout
        number, _, reason = report.stderr.decode(errors="replace").partition(" ")
        if not number.isdigit():
            raise SandboxError(f"The sandbox could not handle the file {path!r}: {report}.")
        raise OSError(int(number), reason, path)

    async def _open(self) -> Jail:
        if self._closed:
            raise SandboxError(
                "This sandbox session is closed.", "Open a new one with SandboxPool.session()."
            )
        if self._jail is None:
            self._jail = await self._pool.start_jail(self._limits)
        return self._jail

    async def _drop(self) -> None:
        jail, self._jail = self._jail, None
        if jail is not None:
            await self._pool.kill_jail(jail)

    async def _call(self, jail: Jail, request: list[bytes], output_bytes: int, wall_seconds: float) -> Report:
        """Send the request and read its report. An exception, a cancellation too, costs the jail."""
        limits = self._limits
        bounds = Bounds(
            wall_seconds,
            limits.cpu_seconds,
            limits.memory_mb,
            limits.processes,
            limits.file_mb,
            limits.open_files,
            output_bytes,
        )
        kind, *arguments = request
        try:
            reply = await jail.call(
                kind,
                bounds.encode(),
                *arguments,
                timeout=wall_seconds + GRACE_SECONDS,
                largest_reply=2 * output_bytes + 4096,
            )
            return Report.parse(reply)
        except BaseException:
            await self._drop()
            raise


def _request(code: str | None, shell: str | None, argv: Sequence[str] | None) -> list[bytes]:
    if sum(part is not None for part in (code, shell, argv)) != 1 or (argv is not None and not argv):
        raise ValueError("Give exactly one of code=, shell= and a non-empty argv=.")
    if code is not None:
        return [b"code", code.encode(errors="surrogatepass")]
    if shell is not None:
        return [b"shell", shell.encode(errors="surrogatepass")]
    return [b"argv", *(word.encode(errors="surrogatepass") for word in argv or ())]


def _workspace_path(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"Path {path!r} leaves the workspace. Give one relative to it, without '..'.")
    if not path or "\0" in path:
        raise ValueError(f"Path {path!r} names no file. Give one relative to the workspace.")
    return posixpath.normpath(path)
