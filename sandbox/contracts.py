"""The plain values that go in and out of a sandbox; runs nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

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


LEAST = {"inodes": 8, "open_files": 16}
"""With less no slot can be made, or no program started in it."""


@dataclass(frozen=True)
class Limits:
    """What one run may use. Crossing a limit ends the run with a status of its own.

    `memory_mb` bounds the data segment of each process (an address-space limit would break numpy, which maps
    more than it uses) and the memory of the whole tree. `processes` counts threads too. `file_mb` bounds one
    file, `tmp_mb` and `inodes` (files and folders) the whole workspace, `output_bytes` each of stdout and
    stderr. `cpu_seconds` holds for the whole tree. Raises ValueError for a limit that is not above zero, is
    no whole number (`wall_seconds` may have a fraction) or with which nothing could run.
    """

    memory_mb: int = 128
    wall_seconds: float = 30
    cpu_seconds: int = 30
    processes: int = 10
    file_mb: int = 32
    tmp_mb: int = 64
    inodes: int = 4096
    open_files: int = 256
    output_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            fraction = limit.name == "wall_seconds"
            least = LEAST.get(limit.name, 1)
            is_number = isinstance(value, int | float if fraction else int) and not isinstance(value, bool)
            if not is_number or not (0 < value < float("inf") if fraction else least <= value):
                wanted = "number" if fraction else "whole number"
                bound = f"of at least {least}" if least > 1 else "above zero"
                raise ValueError(f"The limit {limit.name} is {value!r}. Give a {wanted} {bound}.")


@dataclass(frozen=True)
class File:
    """A regular file that a run left in its workspace. `path` is relative to it, `size` in bytes.

    `sha256` is the hash of its bytes in hex; None where they could not be read whole: `note` says why.
    `data` holds the bytes of the files that the caller asked for.
    """

    path: str
    size: int
    sha256: str | None
    data: bytes | None = field(default=None, repr=False)
    note: str = ""


@dataclass(frozen=True)
class Result:
    """What came of one run.

    `exit_code` is None when a signal ended the process, `signal` is None when none did. `cpu_seconds` sums
    the process tree, `peak_memory_mb` is the largest resident size of any one process of it. Output is UTF-8,
    bytes that are not are replaced; where it was cut, its last line says so. `protections` names what
    stood between the code and the host. `figures` are PNG pictures of the matplotlib figures left open,
    `blocked_requests` the addresses that the egress proxy refused, with the reason.
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
    files: tuple[File, ...] = ()
    figures: tuple[bytes, ...] = field(default=(), repr=False)
    blocked_requests: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.status == "ok"
