"""The plain values that go in and out of a sandbox, and what a backend has to offer; runs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Status = Literal[
    "ok",
    "compile_error",
    "runtime_error",
    "missing_dependency",
    "timeout",
    "cpu_limit",
    "memory_limit",
    "output_limit",
    "disk_limit",
    "process_limit",
    "crashed",
    "policy_denied",
    "sandbox_error",
]
"""How a run ended. `sandbox_error` is for callers that record a SandboxError as a row; no run returns it."""


@dataclass(frozen=True)
class Limits:
    """What one run may use. Crossing a limit ends the run with a status of its own.

    `memory_mb` bounds the data segment of each process (an address-space limit would break numpy, which maps
    more than it uses) and the memory of the whole tree. `processes` counts threads too. `file_mb` bounds one
    file, `tmp_mb` the whole workspace, `output_bytes` each of stdout and stderr.
    """

    memory_mb: int = 128
    wall_seconds: float = 30
    cpu_seconds: int = 30
    processes: int = 10
    file_mb: int = 32
    tmp_mb: int = 64
    open_files: int = 256
    output_bytes: int = 1 << 20


@dataclass(frozen=True)
class Result:
    """What came of one run.

    `exit_code` is None when a signal ended the process, `signal` is None when none did; both are None when
    the whole jail was lost. `cpu_seconds` sums the process tree, `peak_memory_mb` is the largest resident
    size of any one process of it. Output is UTF-8, bytes that are not are replaced. `protections` names what
    stood between the code and the host.
    """

    status: Status
    exit_code: int | None
    signal: int | None
    stdout: str
    stderr: str
    wall_seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    protections: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.status == "ok"


class JailLost(Exception):
    """The jail ended, or answered what no driver answers, while a call was under way."""


class Jail(Protocol):
    """One isolated place with a private workspace and a driver in it that runs one request at a time."""

    async def call(self, *request: bytes, timeout: float, largest_reply: int) -> list[bytes]:
        """Send a request of the driver's protocol (`sandbox.driver`), give its reply.

        Raises JailLost, or TimeoutError after `timeout` seconds. After an exception, a cancellation too, the
        jail is only good to be killed.
        """
        ...

    async def kill(self) -> None:
        """End every process of the jail; returns when all are gone. Safe to call twice."""
        ...


class Backend(Protocol):
    """A way to make jails. `protections` names what holds for every jail it makes."""

    protections: tuple[str, ...]

    async def start(self, limits: Limits) -> Jail:
        """A new jail with an empty workspace. Raises SandboxUnavailable when none can be made."""
        ...
