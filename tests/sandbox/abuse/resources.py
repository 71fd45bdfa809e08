"""More than was granted: limits raised, a better place in the queue for the processor, memory that stays."""

from __future__ import annotations

from tests.sandbox.abuse.probe import Probe

GRANTED = (
    # name, number of the limit, what was granted, in the limit's unit
    ("open files", 7, 'HOST.granted["open_files"]'),
    ("processes", 6, 'HOST.granted["processes"]'),
    ("memory", 2, 'HOST.granted["memory_mb"] << 20'),
    ("size of a file", 1, 'HOST.granted["file_mb"] << 20'),
    ("processor time", 0, 'HOST.granted["cpu_seconds"]'),
)
# Of these nothing is granted; only raising what there is can be tried, and root needs a capability for it.
OTHERS = (
    *(("core dumps", 4), ("locked memory", 8), ("pending signals", 11), ("message queues", 12)),
    *(("priority", 13), ("real-time priority", 14)),
)

BEYOND = """
with attempt():
    syscall("prlimit64", 0, {limit}, struct.pack("QQ", *[2 * ({granted})] * 2), None)
"""
RAISE = """
limits = buffer(16)
syscall("prlimit64", 0, {limit}, None, limits)
soft, hard = struct.unpack("QQ", limits)
with attempt():
    if hard + 1 == 1 << 64: breach("there is no limit")
    syscall("prlimit64", 0, {limit}, struct.pack("QQ", hard + 1, hard + 1), None)
"""
OPEN_FILES = """
with attempt():
    for _ in range(2 * HOST.granted["open_files"]): os.open("/dev/null", os.O_RDONLY)
"""
LOCKED = """
size = 64 << 20
import mmap
memory = mmap.mmap(-1, size)
with attempt(): syscall("mlock", ctypes.addressof(ctypes.c_char.from_buffer(memory)), size)
"""
DEADLINE = """
with attempt(): syscall("sched_setattr", 0, struct.pack("IIQiIQQQ", 48, 6, 0, 0, 0, 10**7, 10**8, 10**8), 0)
"""
LEAST_KILLED = """
with attempt():
    with open("/proc/self/oom_score_adj", "w") as score: score.write("-1000")
"""
SYSTEM_CAPABILITY = ("CAP_SYS_RESOURCE",)

PROBES = (
    *(
        Probe(f"twice the granted {name}", "limits", BEYOND.format(limit=limit, granted=granted))
        for name, limit, granted in GRANTED
    ),
    *(
        Probe(f"a higher limit of {name}", "limits", RAISE.format(limit=limit), needs=SYSTEM_CAPABILITY)
        for name, limit in OTHERS
    ),
    Probe("twice as many files opened", "limits", OPEN_FILES, "unprivileged"),
    Probe("the best priority", "capabilities", "with attempt(): os.setpriority(os.PRIO_PROCESS, 0, -20)"),
    *(
        Probe(
            f"real-time scheduling, {policy}",
            "capabilities",
            f"with attempt(): os.sched_setscheduler(0, os.{policy}, os.sched_param(1))",
        )
        for policy in ("SCHED_FIFO", "SCHED_RR")
    ),
    Probe("real-time scheduling by deadline", "capabilities", DEADLINE),
    Probe(
        "real-time access to the disk", "capabilities", 'with attempt(): syscall("ioprio_set", 1, 0, 1 << 13)'
    ),
    Probe("locked memory", "limits", LOCKED),
    Probe("all its memory locked", "limits", 'with attempt(): syscall("mlockall", 3)'),
    Probe(
        "being the last one killed when memory ends", "capabilities", LEAST_KILLED, needs=SYSTEM_CAPABILITY
    ),
)
