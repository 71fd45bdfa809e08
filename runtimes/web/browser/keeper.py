"""A small program beside each browser that ends it, in whatever state it is, when nobody else can any more.

Run as `python -I -S keeper.py FOLDER PARENT_PID`, in a session of its own, its standard input a pipe with
lines `driver PID`, `session PID` and `end`. Once it reads the last, or the driver has died, it kills the
browser, also one that hangs, and removes FOLDER; once the pipe is closed or the parent has died, it kills the
driver too. It exits with 0 when nothing is left. The browser is every process of the session, and of those in
which TMPDIR is FOLDER. At its start it does so with folders of hosts that died together with their keepers.

(The kernel's own way, PR_SET_PDEATHSIG, follows the thread that started a process, does not reach the
browser's children, and removes no files.) Standard library only, and no package around it: it must start at
once.
"""

import fcntl
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

PREFIX = "adp-browser-"
"""What the names of browsers' folders begin with. A folder in use is locked (flock) by host and keeper."""

END_SECONDS = 3.0
STALE_SECONDS = 60.0
"""A folder younger than that may not be locked yet."""

_PAUSE_SECONDS = 0.01


class Process(NamedTuple):
    """What /proc/PID/stat tells; `session` is the pid of the session's first process."""

    pid: int
    state: str
    parent: int
    session: int

    @property
    def ended(self) -> bool:
        """A zombie: it only waits for its parent to take notice."""
        return self.state in "ZX"


def processes(sessions: Iterable[int], pids: Iterable[int] = ()) -> list[Process]:
    """The processes of these sessions, and these."""
    sessions, pids = set(sessions), set(pids)
    return [p for p in _all_processes() if p.session in sessions or p.pid in pids]


def sessions_in(folder: str) -> set[int]:
    """The sessions with a process that has `folder` for its temporary files."""
    entry = b"TMPDIR=" + os.fsencode(folder)
    found = set()
    for process in _all_processes():
        with suppress(OSError):  # it ended meanwhile, or is another user's
            if entry in _read(f"/proc/{process.pid}/environ").split(b"\0"):
                found.add(process.session)
    return found


def end(folder: str, sessions: Iterable[int] = (), pids: Iterable[int] = ()) -> bool:
    """Kill these processes and what works in `folder`, then remove it; whether nothing is left."""
    deadline = time.monotonic() + END_SECONDS
    sessions = set(sessions)
    while True:
        sessions |= sessions_in(folder)
        left = [p.pid for p in processes(sessions, pids) if not p.ended]
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            shutil.rmtree(folder, ignore_errors=True)
            if not os.path.lexists(folder):
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)


def sweep(base: str) -> None:
    """End what hosts that died have left in `base`."""
    for entry in os.scandir(base):
        if not entry.name.startswith(PREFIX):
            continue
        with suppress(OSError):  # another keeper was quicker
            stat = entry.stat(follow_symlinks=False)
            is_ours = entry.is_dir(follow_symlinks=False) and stat.st_uid == os.geteuid()
            if is_ours and time.time() - stat.st_mtime > STALE_SECONDS and not _is_locked(entry.path):
                end(entry.path)


def main(folder: str, parent: int) -> bool:
    """Wait until it is over, then end it; whether nothing is left."""
    with suppress(OSError):
        sweep(os.path.dirname(folder))
    told = Told()
    told.watch(parent)
    told.wait()
    return end(folder, told.sessions, told.drivers)


class Told:
    """What the parent says there is to end, and when it is to be ended."""

    def __init__(self) -> None:
        self.sessions: set[int] = set()
        self.drivers: set[int] = set()
        self._over = False
        self._rest = b""
        self._deaths = select.poll()
        self._deaths.register(0, select.POLLIN)

    def watch(self, pid: int) -> None:
        """Let the death of `pid` be the end."""
        try:
            self._deaths.register(os.pidfd_open(pid), select.POLLIN)
        except ProcessLookupError:
            self._over = True
        except OSError:
            pass  # a kernel before 5.3: the pipe alone must do

    def wait(self) -> None:
        while not self._over:
            for descriptor, _ in self._deaths.poll():
                if descriptor == 0:
                    self._read()
                else:
                    self._over = True

    def _read(self) -> None:
        data = os.read(0, 4096)
        if not data:
            self._over = True
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            kind, *pids = line.decode().split()
            if kind == "session":
                self.sessions.update(map(int, pids))
            elif kind == "driver":
                self.drivers.update(map(int, pids))
                self.watch(int(pids[0]))
            else:  # the driver has other browsers
                self.drivers.clear()
                self._over = True


def _all_processes() -> Iterator[Process]:
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError):
                # The second field, the name in brackets, may hold anything.
                state, parent, _, session = _read(f"/proc/{name}/stat").rpartition(b")")[2].split()[:4]
                yield Process(int(name), state.decode(), int(parent), int(session))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _is_locked(folder: str) -> bool:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1], int(sys.argv[2])) else 1)
