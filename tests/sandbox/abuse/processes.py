"""Other processes: the host's, and the one that watches over the code; killed, read, steered or slowed."""

from __future__ import annotations

from tests.sandbox.abuse.probe import Probe

# A process of the jail may happen to bear the number of the victim.
VICTIM = """
try:
    if SECRET not in open("/proc/%d/cmdline" % HOST.{pid}).read(): blocked("that is another process")
except OSError:
    pass
"""
SIGNAL = (
    VICTIM.format(pid="victim_pid")
    + """
import signal
with attempt(): os.kill(HOST.victim_pid, signal.SIGWINCH)
"""
)
# Wakes the frozen one if it comes through, and harms nobody.
SIGNAL_ALL = (
    VICTIM.format(pid="frozen_pid")
    + """
import signal
try: os.kill(-1, signal.SIGCONT)
except OSError: pass
with attempt():
    if open("/proc/%d/stat" % HOST.frozen_pid).read().rpartition(")")[2].split()[0] != "T": breach("it woke")
    blocked("it sleeps on")
"""
)
KILL_INIT = """
import signal, time
refused = ""
for number in range(1, 65):
    try: {send}
    except OSError as error: refused = " and " + errno.errorcode[error.errno]
for _ in range(20):
    try: state = open("/proc/%d/stat" % HOST.init_pid).read().rpartition(")")[2].split()[0]
    except OSError: state = "hidden"
    if state in "ZX": breach("init is gone")
    time.sleep(0.005)
if state == "T": breach("init is stopped")
blocked("init lives" + refused)
"""
TRACE = """
with attempt(): syscall("ptrace", {request}, {pid}, 0, 0)
"""
# Nothing is at this address: those who may look are told so, the others sooner that they may not.
MEMORY = """
local = buffer(8)
ours, theirs = struct.pack("PN", ctypes.addressof(local), 8), struct.pack("PN", 4096, 8)
with attempt("EFAULT"): syscall({call!r}, {pid}, ours, 1, theirs, 1, 0)
"""
ADVISE = """
with attempt("EFAULT", "ENOMEM", "EINVAL"):
    init = syscall("pidfd_open", HOST.init_pid, 0)
    syscall("process_madvise", init, struct.pack("PN", 4096, 4096), 1, 20, 0)
"""
DESCRIPTOR = """
with attempt(): syscall("pidfd_getfd", syscall("pidfd_open", {pid}, 0), 0, 0)
"""
LIMIT = """
old = buffer(16)
with attempt(): syscall("prlimit64", HOST.init_pid, 7, {new}, old)
"""
SCHEDULING = """
attributes = struct.pack("IIQiIQQQ", 48, 0, 0, 1, 0, 0, 0, 0)
with attempt(): syscall("sched_setattr", HOST.init_pid, attributes, 0)
"""
# Not by its number, but by all that it has in common with us.
SLOWED_WITH_USER = """
with attempt():
    before = os.getpriority(os.PRIO_PROCESS, HOST.init_pid)
    os.setpriority({which}, {who}, min(before + 3, 19))
    if os.getpriority(os.PRIO_PROCESS, HOST.init_pid) > before: breach("init is slower")
    blocked("init is as fast as before")
"""
DISK_WITH_USER = """
with attempt():
    before = syscall("ioprio_get", 1, HOST.init_pid)
    syscall("ioprio_set", 3, {who}, 2 << 13 | 7)
    if syscall("ioprio_get", 1, HOST.init_pid) != before: breach("init waits longer for the disk")
    blocked("init is as fast as before")
"""
# Its complaint about an empty set of nodes comes after the question whether one may.
MIGRATE = """
with attempt("EINVAL"): syscall("migrate_pages", HOST.init_pid, 8, buffer(8), buffer(8))
"""
ON_INIT = (
    ("CPUs of init chosen", "os.sched_setaffinity(HOST.init_pid, os.sched_getaffinity(0))"),
    ("scheduler of init chosen", "os.sched_setscheduler(HOST.init_pid, os.SCHED_BATCH, os.sched_param(0))"),
    ("scheduling parameters of init set", "os.sched_setparam(HOST.init_pid, os.sched_param(0))"),
    ("priority of init lowered", "os.setpriority(os.PRIO_PROCESS, HOST.init_pid, 5)"),
    ("disk priority of init lowered", 'syscall("ioprio_set", 1, HOST.init_pid, 2 << 13 | 7)'),
    ("locks of init listed", 'syscall("get_robust_list", HOST.init_pid, buffer(8), buffer(8))'),
    ("memory of init moved", 'syscall("move_pages", HOST.init_pid, 0, None, None, None, 0)'),
    ("memory of init compared", 'syscall("kcmp", os.getpid(), HOST.init_pid, 1, 0, 0)'),
)

PROBES = (
    Probe("a signal to a process of the host", "pid namespace", SIGNAL),
    Probe("a signal to everybody", "pid namespace", SIGNAL_ALL),
    *(
        Probe(f"every signal to init by {name}", "pid namespace", KILL_INIT.format(send=send))
        for name, send in (
            ("kill", "os.kill(HOST.init_pid, number)"),
            ("tgkill", 'syscall("tgkill", HOST.init_pid, HOST.init_pid, number)'),
            (
                "pidfd",
                'syscall("pidfd_send_signal", syscall("pidfd_open", HOST.init_pid, 0), number, None, 0)',
            ),
        )
    ),
    Probe("tracing init", "seccomp", TRACE.format(request=0x4206, pid="HOST.init_pid")),
    Probe(
        "tracing a process of the host", "pid namespace", TRACE.format(request=0x4206, pid="HOST.victim_pid")
    ),
    Probe("being traced", "seccomp", TRACE.format(request=0, pid=0), "unprivileged"),
    Probe(
        "reading the memory of init", "seccomp", MEMORY.format(call="process_vm_readv", pid="HOST.init_pid")
    ),
    Probe(
        "writing the memory of init", "seccomp", MEMORY.format(call="process_vm_writev", pid="HOST.init_pid")
    ),
    Probe(
        "reading the memory of a process of the host",
        "pid namespace",
        MEMORY.format(call="process_vm_readv", pid="HOST.victim_pid"),
    ),
    Probe("advice about the memory of init", "seccomp", ADVISE),
    Probe("taking a descriptor of init", "seccomp", DESCRIPTOR.format(pid="HOST.init_pid")),
    Probe("taking a descriptor of the host", "pid namespace", DESCRIPTOR.format(pid="HOST.victim_pid")),
    Probe("reading the limits of init", "seccomp", LIMIT.format(new=None)),
    Probe("setting the limits of init", "seccomp", LIMIT.format(new='struct.pack("QQ", 4, 4)')),
    Probe("scheduling attributes of init set", "seccomp", SCHEDULING),
    *(Probe(name, "seccomp", f"with attempt(): {code}") for name, code in ON_INIT),
    Probe("memory of init migrated", "seccomp", MIGRATE),
    Probe(
        "priority of all of its user lowered",
        "user ids",
        SLOWED_WITH_USER.format(which="os.PRIO_USER", who="os.getuid()"),
    ),
    Probe(
        "priority of user 0, its own, lowered",
        "user ids",
        SLOWED_WITH_USER.format(which="os.PRIO_USER", who=0),
    ),
    Probe("disk priority of all of its user lowered", "user ids", DISK_WITH_USER.format(who="os.getuid()")),
    Probe("disk priority of user 0, its own, lowered", "user ids", DISK_WITH_USER.format(who=0)),
)
