"""The two pipes of a run and what came through them, up to a limit each."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

READ_BYTES = 1 << 16
LARGEST_PIPE = 1 << 20
"""What a program may enlarge a pipe to without rights of root's (fs.pipe-max-size)."""


class Output:
    """Standard output and standard error of one run; the host's ends are closed by `close`.

    Until `attend` nothing is read: most runs are over before, and what they printed waits in the pipes.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._kept = (bytearray(), bytearray())
        self._read_ends: tuple[int, ...] = ()
        self.write_ends: tuple[int, ...] = ()
        self._attending: set[int] = set()
        self.cut = [False, False]
        try:
            for _ in range(2):
                read_end, write_end = os.pipe2(os.O_CLOEXEC)
                self._read_ends += (read_end,)
                self.write_ends += (write_end,)
                os.set_blocking(read_end, False)
        except OSError:
            for descriptor in (*self._read_ends, *self.write_ends):
                os.close(descriptor)
            raise

    def given(self) -> None:
        """The run has its copies of the write ends: give up ours, or their end could not be seen."""
        for descriptor in self.write_ends:
            os.close(descriptor)
        self.write_ends = ()

    def attend(self, loop: asyncio.AbstractEventLoop, on_flood: Callable[[], None]) -> None:
        """Read as it comes from now on, and call `on_flood` when a stream goes beyond the limit."""
        for stream, descriptor in enumerate(self._read_ends):
            self._attending.add(descriptor)
            loop.add_reader(descriptor, self._read, stream, loop, on_flood)

    def drain(self) -> None:
        """Take what the pipes still hold: no more, as a process that a step left behind may go on writing."""
        for stream in range(2):
            for _ in range(LARGEST_PIPE // READ_BYTES):
                if not self._take(stream):
                    break

    def result(self) -> tuple[bytes, bytes]:
        return bytes(self._kept[0]), bytes(self._kept[1])

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        self.given()
        for descriptor in self._attending:
            loop.remove_reader(descriptor)
        for descriptor in self._read_ends:
            os.close(descriptor)
        self._attending.clear()
        self._read_ends = ()

    def _read(self, stream: int, loop: asyncio.AbstractEventLoop, on_flood: Callable[[], None]) -> None:
        descriptor = self._read_ends[stream]
        if not self._take(stream):
            loop.remove_reader(descriptor)
            self._attending.discard(descriptor)
        elif self.cut[stream]:
            on_flood()

    def _take(self, stream: int) -> int:
        """Read once, keep what fits; gives the number of bytes read, 0 when there are none now or ever."""
        try:
            chunk = os.read(self._read_ends[stream], READ_BYTES)
        except BlockingIOError:
            return 0
        kept = self._kept[stream]
        room = self._limit - len(kept)
        kept += chunk[:room]
        if len(chunk) > room:
            self.cut[stream] = True
        return len(chunk)
