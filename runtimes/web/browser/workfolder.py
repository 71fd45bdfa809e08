"""A browser's own temporary folder, and the keeper that ends the browser and removes the folder."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from runtimes.web.browser import keeper
from runtimes.web.browser.memory import used_mb

_REAP_SECONDS = 1.0
_KEEPER_SECONDS = 2 * keeper.END_SECONDS


class WorkFolder:
    """A new folder in the system's temporary one, with a keeper beside it.

    Raises OSError where no folder can be made or no process started. `path` is the TMPDIR of the browser.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=keeper.PREFIX)).resolve()
        self._sessions: list[int] = []
        self._drivers: list[int] = []
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", keeper.__file__, str(self.path), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl+C is not for it
                pass_fds=[self._lock],  # so that the lock holds for as long as one of both lives
            )
        except BaseException:
            os.close(self._lock)
            keeper.end(str(self.path))
            raise

    def tell(self, *, driver: int, session: int) -> None:
        """Name the processes that end with the folder."""
        self._drivers.append(driver)
        self._sessions.append(session)
        stdin = self._keeper.stdin
        assert stdin is not None
        with suppress(OSError):  # it was killed; `kept` says so
            stdin.write(f"driver {driver}\nsession {session}\n".encode())
            stdin.flush()

    def used_mb(self) -> float:
        """What the processes told use together."""
        return used_mb(self._sessions, self._drivers)

    @property
    def kept(self) -> bool:
        """Whether the keeper lives, which it does until somebody kills it or the driver dies."""
        return self._keeper.poll() is None

    async def end(self) -> None:
        """Kill the browser, and whatever works in the folder, and remove it; the driver lives on."""
        stdin = self._keeper.stdin
        assert stdin is not None
        with suppress(OSError):
            stdin.write(b"end\n")
            stdin.close()
        await asyncio.to_thread(self._end)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _end(self) -> None:
        try:
            self._keeper.wait(_KEEPER_SECONDS)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        if self._keeper.returncode != 0:
            keeper.end(str(self.path), self._sessions)
        self._reap()

    def _reap(self) -> None:
        """Take notice of what has ended where that falls to us, as it does to a container's first process.

        What was killed a moment ago may still be at it.
        """
        deadline = time.monotonic() + _REAP_SECONDS
        while left := list(keeper.processes(self._sessions)):
            for process in left:
                if process.ended and process.parent == os.getpid():
                    with suppress(ChildProcessError):
                        os.waitpid(process.pid, os.WNOHANG)
            if time.monotonic() > deadline:
                return
            time.sleep(0.005)
