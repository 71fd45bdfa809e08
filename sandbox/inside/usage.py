"""What the processes of a slot use, read from /proc: for limits that the kernel does not set on a tree."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False  # importing typing for it would take a millisecond
if TYPE_CHECKING:
    from sandbox.inside.jail import Jail

STACK_MB = 8
"""What a process may hold beyond its data segment before the tree counts as over its memory."""
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PARENT = 1
"""A field of /proc/PID/stat after the name: the parent's pid."""
SESSION = 3
"""Another: the pid of who called setsid, itself or before this process was forked from it."""
TIMES = slice(11, 15)
"""Fields of /proc/PID/stat after the name: user and system time, its own and of children it waited for."""
OWN_TIMES = slice(11, 13)
"""The first two of these."""
STARTED = 19
"""When it was started: tells a process from a later one of the same pid."""
THREADS = 17
"""Another of these fields: the number of threads."""
PAUSE = 10
"""How many times as long as it took to look through the workspace it is then left alone."""


class Watch:
    """What the tree may use from now on: set by the host once a run takes longer than most."""

    def __init__(
        self, jail: Jail, memory_mb: int, cpu_seconds: float, processes: int, reaped_seconds: float
    ) -> None:
        """`reaped_seconds` is the CPU time of who was waited for so far."""
        self.jail = jail
        self.rests = False
        """Whether nothing is to run, so that only what is held is looked at, not the time that passes."""
        self.was_over = False
        """Whether it was when it was looked at last."""
        self.own_ticks: dict[tuple[int, bytes], int] = {}
        self.gone_ticks = 0
        self.most_processes = processes
        self.next_look = 0.0
        self.limit_kb = (memory_mb + STACK_MB) * 1024 + fields_kb("/proc/self/status", b"RssAnon:")
        self.cpu_until = cpu_seconds + reaped_seconds + self.cpu_seconds()
        self.seen_until = cpu_seconds + self.seen_seconds()

    def crossed(self, reaped_seconds: float) -> bytes:
        """The limit that the tree is over, if any."""
        if self.memory_is_over():
            return b"memory_limit"
        if not self.rests and self.cpu_time_is_over(reaped_seconds):
            return b"cpu_limit"
        if self.jail.counts_processes and self.threads() > self.most_processes:
            return b"process_limit"
        return b"disk_limit" if self.space_is_over() else b""

    def cpu_time_is_over(self, reaped_seconds: float) -> bool:
        return reaped_seconds + self.cpu_seconds() > self.cpu_until or self.seen_seconds() > self.seen_until

    def cpu_seconds(self) -> float:
        """Of all living processes and the children they waited for."""
        return sum(map(cpu_seconds, self.jail.processes()))

    def seen_seconds(self) -> float:
        """Of every process that was met so far, whoever waited for it.

        Nobody is told the CPU time of a process whose parent ignores SIGCHLD once it has ended.
        """
        now = {
            (pid, fields[STARTED]): sum(map(int, fields[OWN_TIMES])) for pid, fields in self.stats().items()
        }
        self.gone_ticks += sum(ticks for process, ticks in self.own_ticks.items() if process not in now)
        self.own_ticks = now
        return (self.gone_ticks + sum(now.values())) / CLOCK_TICKS

    def threads(self) -> int:
        return sum(int(fields[THREADS]) for fields in self.stats().values())

    def stats(self) -> dict[int, list[bytes]]:
        """For each process what /proc/PID/stat says after its name."""
        found = {pid: stat_fields(f"/proc/{pid}") for pid in self.jail.processes()}
        return {pid: fields for pid, fields in found.items() if fields}

    def space_is_over(self) -> bool:
        """See `Jail.space_is_over`; now and then only where it takes long."""
        started = time.monotonic()
        if started < self.next_look:
            return False
        over = self.jail.space_is_over()
        ended = time.monotonic()
        self.next_look = ended + PAUSE * (ended - started)
        return over

    def memory_is_over(self) -> bool:
        """Whether resident memory without program text, and without what init holds, is over the limit.

        RLIMIT_DATA bounds one process and no shared mapping. Pages shared by fork count once a process in the
        first sum; only when that one is over the limit are they shared out exactly, which is far slower.
        """
        pids = self.jail.processes()
        if sum(map(resident_kb, pids)) <= self.limit_kb:
            return False
        exact = (
            fields_kb(f"/proc/{pid}/smaps_rollup", b"Pss_Anon:", b"Pss_Shmem:") or resident_kb(pid)
            for pid in pids
        )
        return sum(exact) > self.limit_kb


def cpu_seconds(pid: int) -> float:
    """Of a process and the children it waited for; none of one that is gone."""
    return sum(map(int, stat_fields(f"/proc/{pid}")[TIMES])) / CLOCK_TICKS


def resident_kb(pid: int) -> int:
    """Without program text. A process whose first thread has ended shows its memory under the others only."""
    names = (b"RssAnon:", b"RssShmem:")
    return fields_kb(f"/proc/{pid}/status", *names) or next(
        filter(None, (fields_kb(f"/proc/{pid}/task/{task}/status", *names) for task in tasks(pid))), 0
    )


def tasks(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def fields_kb(path: str, *names: bytes) -> int:
    """The sum of the named lines, in KiB; 0 for a process that is gone or hides."""
    return sum(int(line.split()[1]) for line in read_file(path).splitlines() if line.startswith(names))


def stat_fields(process: str) -> list[bytes]:
    """What the file `stat` of a folder of /proc says after the name; nothing for a process that is gone."""
    return read_file(f"{process}/stat").rpartition(b")")[2].split()


def read_file(path: str) -> bytes:
    """The first bytes of a file of /proc; none for a process that is gone."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(8192)
    except OSError:
        return b""
