"""The first process of a jail: runs each request of the host in a process of its own and leaves none behind.

With `child` and `wire` it is all of this package that runs inside. These three import only what loads in
under a millisecond (ctypes, json, signal and socket would together double the start of a jail) and decide
nothing: they report how a run ended, the host judges.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import gc
import os
import select
import time

from sandbox.child import KINDS, enter_run, set_dumpable
from sandbox.wire import Bounds, pack, unpack, write_all

TICK_SECONDS = 0.05
STACK_MB = 8
"""What a process may hold beyond its data segment before the tree counts as over its memory."""


def serve(control: int) -> None:
    """Answer requests on the socket `control` until the host hangs up."""
    become_untouchable()
    wake, alarm = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(alarm, False)
    _signal.signal(_signal.SIGCHLD, lambda number, frame: None)
    _signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
    # A run's own garbage collection need not look at what all runs share.
    gc.freeze()
    write_all(control, pack(b"ready"))
    while True:
        kind, bounds_text, *arguments = receive(control)
        bounds = Bounds.decode(bounds_text)
        out, err = os.pipe(), os.pipe()
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            enter_run(bounds, out[1], err[1])
            KINDS[kind](*arguments)
        os.close(out[1])
        os.close(err[1])
        run = Run(child, bounds, started)
        run.supervise(control, wake, out[0], err[0])
        write_all(control, run.report())
        os.close(out[0])
        os.close(err[0])


def receive(control: int) -> list[bytes]:
    """The host's next request; ends the jail when the host is gone."""

    def exactly(count: int) -> bytes:
        chunks = []
        while count:
            chunk = os.read(control, min(count, 1 << 20))
            if not chunk:
                os._exit(0)
            chunks.append(chunk)
            count -= len(chunk)
        return b"".join(chunks)

    return unpack(exactly(int.from_bytes(exactly(8), "big")))


def become_untouchable() -> None:
    """Keep the code under test, which has the same uid, out of this process.

    As PID 1 it gets no signal from inside that it has no handler for, SIGKILL included: so drop python's
    handler of SIGINT. Not being dumpable shuts /proc/1/mem and /proc/1/fd, the system-call filter denies
    the rest.
    """
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    set_dumpable(0)


class Run:
    """The process tree of one request, from the fork to the death of its last process."""

    def __init__(self, child: int, bounds: Bounds, started: float) -> None:
        self.child = child
        self.output_bytes = bounds.output_bytes
        self.memory_mb = bounds.memory_mb + STACK_MB
        self.started = started
        self.deadline = started + bounds.wall_seconds
        self.stopped = b""
        self.status: int | None = None
        self.wall_seconds = 0.0
        self.cpu_seconds = 0.0
        self.peak_kb = 0
        self.output: dict[int, bytearray] = {}

    def supervise(self, control: int, wake: int, out: int, err: int) -> None:
        """Read both streams until the run's first process ends or a limit is crossed, then kill the rest."""
        self.output = {out: bytearray(), err: bytearray()}
        poll = select.poll()
        for descriptor in (control, wake, out, err):
            poll.register(descriptor, select.POLLIN)
        next_tick = self.started + TICK_SECONDS
        while self.status is None and not self.stopped:
            now = time.monotonic()
            if now >= self.deadline:
                self.stopped = b"timeout"
                break
            if now >= next_tick:
                next_tick = now + TICK_SECONDS
                if tree_memory_mb(self.memory_mb) > self.memory_mb:
                    self.stopped = b"memory_limit"
                    break
            pause = min(self.deadline, next_tick) - now
            for descriptor, _ in poll.poll(max(0, pause) * 1000 + 1):
                if descriptor == control:
                    os._exit(0)
                elif descriptor == wake:
                    os.read(wake, 4096)
                    self.reap(os.WNOHANG)
                elif not self.collect(descriptor):
                    poll.unregister(descriptor)
        kill_everyone()
        self.reap(0)
        self.wall_seconds = time.monotonic() - self.started
        for descriptor in (out, err):
            while self.collect(descriptor):
                pass

    def collect(self, descriptor: int) -> int:
        """Take what a stream holds, up to the limit; gives the number of bytes read, 0 at its end."""
        chunk = os.read(descriptor, 1 << 16)
        kept = self.output[descriptor]
        room = self.output_bytes - len(kept)
        kept += chunk[:room]
        if len(chunk) > room:
            self.stopped = self.stopped or b"output_limit"
        return len(chunk)

    def reap(self, options: int) -> None:
        """Take every dead process (with WNOHANG), or wait for all to die; orphans come to us as PID 1."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, options)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.cpu_seconds += usage.ru_utime + usage.ru_stime
            self.peak_kb = max(self.peak_kb, usage.ru_maxrss)
            if pid == self.child:
                self.status = status

    def report(self) -> bytes:
        status = 0 if self.status is None else self.status
        numbers = f"{status} {self.wall_seconds:.6f} {self.cpu_seconds:.6f} {self.peak_kb}"
        return pack(b"done", self.stopped, numbers.encode(), *map(bytes, self.output.values()))


def kill_everyone() -> None:
    """SIGKILL every process of the jail but this one. None forks its way out: the kernel fails that fork."""
    try:  # noqa: SIM105 - contextlib takes a millisecond to import
        os.kill(-1, _signal.SIGKILL)
    except ProcessLookupError:
        pass


def tree_memory_mb(limit_mb: float) -> float:
    """Resident memory of all processes of the jail but this one, without program text.

    RLIMIT_DATA bounds one process and no shared mapping. Pages shared by fork count once a process here; only
    when that sum crosses the limit are they shared out exactly, which is far slower.
    """
    pids = [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]
    rough = sum(proc_fields_kb(f"/proc/{pid}/status", b"RssAnon:", b"RssShmem:") for pid in pids) / 1024
    if rough <= limit_mb:
        return rough
    return (
        sum(
            proc_fields_kb(f"/proc/{pid}/smaps_rollup", b"Pss_Anon:", b"Pss_Shmem:")
            or proc_fields_kb(f"/proc/{pid}/status", b"RssAnon:", b"RssShmem:")
            for pid in pids
        )
        / 1024
    )


def proc_fields_kb(path: str, *names: bytes) -> int:
    """The sum of the named lines, in KiB; 0 for a process that is gone or hides."""
    try:
        with open(path, "rb", buffering=0) as file:
            lines = file.read(8192).splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(names))
