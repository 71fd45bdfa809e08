"""Large or young parts of the kernel, where most escapes were found, and calls a filter may misread."""

from __future__ import annotations

from tests.sandbox.abuse.probe import Control, Probe

# Some attempts are cut off on purpose before they do anything, by an argument that is wrong. The error named
# is the kernel's complaint about it, which comes after the wall: coming to it is the breach.
CALLS: tuple[tuple[str, str, str, tuple[str, ...], Control], ...] = (
    # name, call, arguments, errors that come after the wall, control
    ("a session's key ring", "keyctl", "0, -3, 0", (), "unprivileged"),
    ("a key added", "add_key", 'b"user", b"abuse", b"x", 1, -2', (), "unprivileged"),
    ("a key asked for", "request_key", 'b"user", b"abuse", None, -2', ("ENOKEY",), "unprivileged"),
    ("a table in the kernel", "bpf", '0, struct.pack("18I", 2, 4, 4, 1, *[0] * 14), 72', (), "bare"),
    (
        "performance counters",
        "perf_event_open",
        'struct.pack("IIQQQQQ", 1, 112, 0, 0, 0, 0, 0x21) + bytes(64), 0, -1, -1, 0',
        (),
        "bare",
    ),
    (
        "performance counters of init",
        "perf_event_open",
        'struct.pack("IIQQQQQ", 1, 112, 0, 0, 0, 0, 0x21) + bytes(64), HOST.init_pid, -1, -1, 0',
        (),
        "bare",
    ),
    ("page faults handled", "userfaultfd", "1", (), "unprivileged"),
    ("requests that the whole machine shares", "io_setup", "8, buffer(8)", (), "unprivileged"),
    ("a ring of operations", "io_uring_setup", "1, buffer(120)", (), "unprivileged"),
    ("operations of a ring", "io_uring_enter", "-1, 0, 0, 0, None, 0", ("EBADF",), "unprivileged"),
    ("memory of a ring", "io_uring_register", "-1, 0, None, 0", ("EBADF", "EINVAL"), "unprivileged"),
    ("secret memory", "memfd_secret", "0", (), "unprivileged"),
    ("a file in memory", "memfd_create", 'b"abuse", 0', (), "unprivileged"),
    ("addresses that do not vary", "personality", "0x0040000", (), "unprivileged"),
    ("addresses that do not vary, with high bits", "personality", "1 << 32 | 0x0040000", (), "unprivileged"),
    ("events of every file", "fanotify_init", "0x200, 0", (), "unprivileged"),
    ("memory given to a pipe", "vmsplice", "os.pipe()[1], VECTOR, 1, 0", (), "unprivileged"),
    ("memory bound to a node", "mbind", "0, 0, 0, None, 0, 0", ("EINVAL",), "unprivileged"),
    ("memory of a node preferred", "set_mempolicy", "0, None, 0", (), "unprivileged"),
    ("memory of a home node", "set_mempolicy_home_node", "0, 0, 0, 0", ("EINVAL", "ENOENT"), "unprivileged"),
    ("its own memory moved", "move_pages", "0, 0, None, None, None, 0", (), "unprivileged"),
    ("its own memory migrated", "migrate_pages", "0, 8, buffer(8), buffer(8)", ("EINVAL",), "unprivileged"),
    (
        "security modules told",
        "lsm_set_self_attr",
        "100, buffer(32), 32, 0",
        ("EINVAL", "EOPNOTSUPP"),
        "unprivileged",
    ),
    ("quotas of a disk", "quotactl", '0x80000400, b"/dev/null", 0, buffer(8)', ("ENOTBLK",), "unprivileged"),
    ("quotas of an open disk", "quotactl_fd", "-1, 0x80000400, 0, buffer(8)", ("EBADF",), "unprivileged"),
    ("names of profiled programs", "lookup_dcookie", "0, buffer(64), 64", ("EINVAL",), "bare"),
    ("the old file server", "nfsservctl", "0, None, None", ("EINVAL", "EFAULT"), "bare"),
    ("a key typed into the terminal", "ioctl", '0, 0x5412, b"x"', ("ENOTTY",), "unprivileged"),
    ("a key typed, with high bits", "ioctl", '0, 1 << 32 | 0x5412, b"x"', ("ENOTTY",), "unprivileged"),
    ("the console's selection", "ioctl", '0, 0x541C, b"\\2"', ("ENOTTY",), "unprivileged"),
)
# Only on x86.
OLD_CALLS: tuple[tuple[str, str, str, tuple[str, ...], Control], ...] = (
    ("descriptors of segments", "modify_ldt", "0, buffer(64), 64", (), "unprivileged"),
    ("every port of the machine", "iopl", "3", (), "bare"),
    ("a port of the machine", "ioperm", "0x80, 1, 1", (), "bare"),
    (
        "statistics of an unmounted disk",
        "ustat",
        'os.stat("/").st_dev, buffer(64)',
        ("EINVAL",),
        "unprivileged",
    ),
    ("a library the old way", "uselib", 'b"/nowhere"', ("ENOENT",), "unprivileged"),
    ("the list of file systems", "sysfs", "3, 0, 0", (), "unprivileged"),
)

VECTOR = """
page = buffer(4096)
VECTOR = struct.pack("PN", ctypes.addressof(page), 4096)
"""
# A call whose number means another one to a filter that does not look at the ABI.
X32 = """
with attempt(): syscall(0x40000000 + 39)
"""
# In a child, for the kernel may well kill it: mov eax, 20 (getpid); int 0x80; ret.
INT_80 = """
import mmap, signal
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("b814000000 cd80 c3"))
call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
child = os.fork()
if child == 0: os._exit(0 if call() == os.getpid() else 1)
status = os.waitpid(child, 0)[1]
if status == 0: breach("the kernel answered")
blocked(signal.Signals(status).name if os.WIFSIGNALED(status) else "with an error")
"""


def _call(call: str, arguments: str, reached: tuple[str, ...]) -> str:
    code = f"with attempt({', '.join(map(repr, reached))}): syscall({call!r}, {arguments})"
    return VECTOR + code if "VECTOR" in arguments else code


PROBES = (
    *(
        Probe(name, "seccomp", _call(call, arguments, reached), control)
        for name, call, arguments, reached, control in CALLS
    ),
    *(
        Probe(name, "seccomp", _call(call, arguments, reached), control, needs=("x86_64",))
        for name, call, arguments, reached, control in OLD_CALLS
    ),
    Probe("a call of the x32 kind", "seccomp", X32, "unprivileged", needs=("x86_64",)),
    Probe(
        "a call of 32 bits",
        "seccomp",
        INT_80,
        "unprivileged",
        needs=("x86_64",),
        unsupported=("SIGSEGV", "with an error"),
    ),
)
