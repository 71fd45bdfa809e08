"""A run, from what the caller asked for to its result, in a slot that is at hand."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from sandbox.arguments import check_text, check_words
from sandbox.bootstrap import PROGRAM, boot_file
from sandbox.contracts import File, Limits, Result
from sandbox.errors import SandboxError
from sandbox.inside.figures import FIGURES
from sandbox.inside.wire import SHARED_MEMORY_FOLDER, Bounds
from sandbox.output import Output
from sandbox.profiles import MATPLOTLIB_FOLDER
from sandbox.slot import Ended, Slot, SlotLost
from sandbox.verdict import judge
from sandbox.workspace import Workspace

TRIES = 3
"""How many slots a run, or the start of a session, may cost before the sandbox gives up on it."""
MOST_FILES = 1000
MOST_FILE_BYTES = 64 << 20
OWN_FOLDERS = frozenset((SHARED_MEMORY_FOLDER, FIGURES, MATPLOTLIB_FOLDER))
"""What lies at the top of a workspace and is not the run's own."""


@dataclass(frozen=True)
class Program:
    """What to run. `kind` is code, shell, argv or fresh (code in a python of its own)."""

    kind: str
    words: tuple[bytes, ...]

    @classmethod
    def of(
        cls, code: str | bytes | None, shell: str | None, argv: Sequence[str] | None, fresh: bool = False
    ) -> Program:
        """Raises ValueError unless exactly one of the three is given, TypeError for what cannot be run."""
        check_text("code", code)
        check_text("shell", shell)
        if argv is not None:
            check_words("argv", argv, '["ls", "-l"]', (str, bytes))
        if sum(part is not None for part in (code, shell, argv)) != 1 or (argv is not None and not argv):
            raise ValueError("Give exactly one of code=, shell= and a non-empty argv=.")
        if code is not None:
            return cls("fresh" if fresh else "code", (as_bytes(code),))
        if fresh:
            raise ValueError("fresh= is for code=: shell and argv always start a program of their own.")
        if shell is not None:
            return cls("argv", (b"/bin/sh", b"-c", as_bytes(shell)))
        return cls("argv", tuple(map(as_bytes, argv or ())))

    @property
    def is_code(self) -> bool:
        return self.kind != "argv"


def as_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode(errors="surrogatepass")


@dataclass
class Report:
    """What is known of a run when it is over, before its files are looked at."""

    ended: Ended
    stdout: bytes
    stderr: bytes
    cut: list[bool]
    wall_seconds: float
    is_code: bool

    def result(self, limits: Limits, protections: tuple[str, ...], note: str = "") -> Result:
        """The result without files. `note` is added to stderr."""
        code = os.waitstatus_to_exitcode(self.ended.status)
        exit_code, signal = (code, None) if code >= 0 else (None, -code)
        stderr = self.stderr.decode(errors="replace")
        status = judge(
            stopped="output_limit" if any(self.cut) else self.ended.limit,
            exit_code=exit_code,
            signal=signal,
            stderr=stderr,
            cpu_seconds=self.ended.cpu_seconds,
            limits=limits,
            is_code=self.is_code,
        )
        mark = f"\n[sandbox: cut at {limits.output_bytes} bytes]"
        return Result(
            status=status,
            exit_code=exit_code,
            signal=signal,
            stdout=self.stdout.decode(errors="replace") + mark * self.cut[0],
            stderr=stderr + mark * self.cut[1] + note,
            wall_seconds=self.wall_seconds,
            cpu_seconds=self.ended.cpu_seconds,
            peak_memory_mb=self.ended.peak_memory_mb,
            protections=protections,
        )


async def perform(slot: Slot, program: Program, limits: Limits, own_processes: int) -> Report:
    """Run `program` in the slot; `own_processes` of the slot count against its limit. Raises SlotLost."""
    request = [program.kind.encode(), bounds(limits, own_processes), *program.words]
    descriptors: tuple[int, ...] = ()
    output = Output(limits.output_bytes)
    try:
        if program.kind == "fresh":
            descriptors = (await boot_file(PROGRAM, (program.words[0],)),)
            del request[2:]
        started = time.monotonic()
        ended = await slot.run(request, descriptors, output, limits)
        seconds = time.monotonic() - started
        output.drain()
    finally:
        output.close(asyncio.get_running_loop())
        for descriptor in descriptors:
            os.close(descriptor)
    return Report(ended, *output.result(), output.cut, seconds, program.is_code)


def bounds(limits: Limits, own_processes: int, *, cpu_seconds: int | None = None) -> bytes:
    """The limits that a process of the slot takes on; `cpu_seconds` of 0 leaves CPU time to init."""
    return Bounds(
        limits.cpu_seconds if cpu_seconds is None else cpu_seconds,
        limits.memory_mb,
        limits.processes + own_processes,
        limits.file_mb,
        limits.open_files,
    ).encode()


def put_files(workspace: Workspace, files: Mapping[str, bytes], limits: Limits) -> None:
    """Write the files a run is to find. Raises ValueError for a name outside the workspace, OSError."""
    for path, data in files.items():
        workspace.write(path, data, limits.file_mb << 20)


async def with_files(result: Result, workspace: Workspace, outputs: Sequence[str]) -> Result:
    """The result with what the run left in its workspace."""
    files, figures = await collected(workspace, outputs, MOST_FILES, MOST_FILE_BYTES)
    return replace(result, files=files, figures=figures)


async def collected(
    workspace: Workspace, outputs: Sequence[str], most_files: int, most_bytes: int
) -> tuple[tuple[File, ...], tuple[bytes, ...]]:
    """Files and figures, as `Workspace.collect` gives them, without holding up the loop."""
    if _has_only(workspace, OWN_FOLDERS - {FIGURES}):
        return (), ()
    collecting = asyncio.ensure_future(
        asyncio.to_thread(workspace.collect, outputs, FIGURES, most_files, most_bytes)
    )
    try:
        return await asyncio.shield(collecting)
    finally:
        # A thread cannot be cancelled, and the workspace has to stay open as long as it looks there.
        await asyncio.wait([collecting])


def _has_only(workspace: Workspace, names: Set[str]) -> bool:
    try:
        return set(workspace.listdir()) <= names
    except OSError:
        # Too many to be listed so.
        return False


def figures_in(workspace: Workspace) -> tuple[bytes, ...]:
    """The pictures that the last run or step of code left."""
    try:
        workspace.listdir(FIGURES)
    except OSError:
        return ()
    return workspace.collect((), FIGURES, max_files=0, max_bytes=MOST_FILE_BYTES)[1]


def they_keep_dying(lost: SlotLost) -> SandboxError:
    """What is said when TRIES slots in a row were lost, `lost` the last."""
    return SandboxError(f"{lost} This happened to {TRIES} slots in a row.", "See `adp doctor`.")
