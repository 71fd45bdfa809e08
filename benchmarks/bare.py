"""What the sandbox is measured against: a bare python and one in bubblewrap. Standard library only."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from sandbox.backends.system import system_folders
from sandbox.backends.user import spare_ids
from sandbox.inside.wire import memory_file
from sandbox.seccomp import build_filter

PYTHON = "/usr/bin/python3"


def spawn(command: Sequence[str], printed: str, environment: Mapping[str, str] | None = None) -> None:
    """Run a command by posix_spawn, and read what it prints from one pipe: the least a host can do.

    Raises RuntimeError if it prints anything but `printed`.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    to_pipe = [(os.POSIX_SPAWN_DUP2, write_end, 1)]
    pid = os.posix_spawn(command[0], list(command), environment or {}, file_actions=to_pipe)
    os.close(write_end)
    with open(read_end, "rb") as output:
        text = output.read()
    os.waitpid(pid, 0)
    check(command, text, printed)


def run(command: Sequence[str], printed: str) -> None:
    """As `spawn`, by subprocess, as most would write it."""
    check(command, subprocess.run(command, capture_output=True, env={}).stdout, printed)


async def run_async(command: Sequence[str], printed: str) -> None:
    """As `spawn`, by asyncio, whose loop can wait for several at once."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env={})
    check(command, (await process.communicate())[0], printed)


class Bubblewrap:
    """A command in a jail like nsjail's: no host files, network or other processes, a seccomp filter, and
    limits of 128 MB, 30 s and 10 processes; as a spare user where the host is root.
    """

    def __init__(self, command: Sequence[str], printed: str) -> None:
        shown, links = system_folders()
        limits = ("prlimit", f"--data={128 << 20}", "--cpu=30", "--nproc=10")
        self._program = (*limits, *command)
        self._printed = printed
        self._filter = build_filter(platform.machine())
        self._walls = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session"]
        for path in shown:
            self._walls += ["--ro-bind", path, path]
        for path, target in links:
            self._walls += ["--symlink", target, path]
        self._walls += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp"]
        # Bubblewrap as root would make the code the host's root.
        self._user = spare_ids(1) if os.geteuid() == 0 else None

    @staticmethod
    def problem() -> str:
        """Why there is none here, if so."""
        missing = [program for program in ("bwrap", "prlimit") if not shutil.which(program)]
        return f"{' and '.join(missing)} not found" if missing else ""

    def run(self) -> None:
        """Raises RuntimeError if the command prints anything else than it should."""
        # Bubblewrap reads it to its end, so each run needs one of its own.
        file = memory_file(self._filter)
        try:
            done = subprocess.run(
                [*self._walls, "--seccomp", str(file), *self._program],
                capture_output=True,
                env={"PATH": os.defpath},
                pass_fds=[file],
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
            )
        finally:
            os.close(file)
        check(self._walls, done.stdout or done.stderr, self._printed)


def check(command: Sequence[str], text: bytes, printed: str) -> None:
    if text.decode(errors="replace") != printed:
        raise RuntimeError(f"{' '.join(command)} printed {text!r} where {printed!r} should be.")
