"""A small program between us and an MCP server that runs here: it leaves nothing of the server behind.

Run as `python -I -S guard.py FOLDER PARENT_PID MOST_BYTES PROGRAM ARGUMENT...`. The server gets this
program's standard input and error and a session of its own. Of its output messages are passed on; what it
says besides goes to the standard error. Whoever reads a message holds it in memory until its end, so one
longer than MOST_BYTES ends the server.

Once the server has ended, or this program is told to (SIGTERM), or the parent has died, every process that
the server started is killed, whatever session it hides in, and FOLDER is removed. It exits as the server did.
Standard library only, and no package around it: it must start at once.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

TOO_LONG = "It wrote a message of more than"
_CHUNK_BYTES = 1 << 16

_SET_PARENT_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36
_GRACE_SECONDS = 0.5
_END_SECONDS = 3.0
_PAUSE_SECONDS = 0.01


class Lines:
    """What the server writes, line by line: messages go on, other talk goes to standard error."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._stream = 1
        self._length = 0

    def take(self, data: bytes) -> bool:
        """Write `data` where it belongs; whether more may come."""
        *whole, rest = data.split(b"\n")
        return all(self._write(line + b"\n") for line in whole) and self._write(rest)

    def _write(self, part: bytes) -> bool:
        if not self._length:
            self._stream = 1 if part.lstrip()[:1] in (b"{", b"[") else 2
        self._length += len(part)
        if self._length > self._most:
            print(f"\n{TOO_LONG} {self._most >> 20} MB.", file=sys.stderr)
            return False
        if part.endswith(b"\n"):
            self._length = 0
        try:
            while part:
                part = part[os.write(self._stream, part) :]
        except BrokenPipeError:
            return False
        return True


class Told(Exception):
    """SIGTERM came."""


def main(folder: str, parent: int, most: int, command: list[str]) -> int:
    """Run the server to its end; its exit code, 128 and the signal where one ended it."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what it leaves behind becomes ours, and so can be found
    status = 1
    try:
        signal.signal(signal.SIGTERM, _tell)
        # The signal follows the thread that starts a process: this program has only one.
        server = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0),
        )
        assert server.stdout is not None
        _let_go_of(0)  # when the server closes it, the other end is to notice
        try:
            if _pass_on(server.stdout.fileno(), Lines(most), parent, server.pid):
                status = server.wait()
        except Told:
            with suppress(subprocess.TimeoutExpired, ProcessLookupError):
                server.terminate()
                status = server.wait(_GRACE_SECONDS)
    except Told:
        pass  # before there was a server
    except OSError as error:
        print(f"{command[0]} does not start: {error.strerror}.", file=sys.stderr)
        status = 127
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end_all()
        shutil.rmtree(folder, ignore_errors=True)
    return status if status >= 0 else 128 - status


def _tell(_signal: int, _frame: object) -> None:
    raise Told


def _let_go_of(stream: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, stream)
    os.close(nothing)


def _pass_on(output: int, lines: Lines, parent: int, server: int) -> bool:
    """Pass the output on until one of the two ends; whether the server did, and by itself."""
    waited = select.poll()
    ends = os.pidfd_open(server)
    waited.register(ends, select.POLLIN)
    waited.register(output, select.POLLIN)
    try:
        waited.register(os.pidfd_open(parent), select.POLLIN)
    except ProcessLookupError:
        return False
    while True:
        ready = {descriptor for descriptor, _ in waited.poll()}
        if output not in ready:
            return ends in ready
        data = os.read(output, _CHUNK_BYTES)
        if not data:
            waited.unregister(output)
            _let_go_of(1)
        if not lines.take(data):
            return False


def _end_all() -> None:
    """Kill every descendant, until none is left."""
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline:
        for pid in _descendants():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_PAUSE_SECONDS)


def _descendants() -> Iterator[int]:
    parents = dict(_all_processes())
    for pid in parents:
        ancestor: int | None = parents[pid]
        while ancestor not in (None, 0, 1, os.getpid()):
            ancestor = parents.get(ancestor or 0)
        if ancestor == os.getpid():
            yield pid


def _all_processes() -> Iterator[tuple[int, int]]:
    """Each process with its parent."""
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                # The second field, the name in brackets, may hold anything.
                yield int(name), int(file.read().rpartition(b")")[2].split()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
