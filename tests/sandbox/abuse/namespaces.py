"""Ways out of the jail's view: new namespaces, those of others, mounts, roots and control groups."""

from __future__ import annotations

from tests.sandbox.abuse.probe import Control, Probe

FLAGS = {
    "time": 0x80,
    "mnt": 0x20000,
    "cgroup": 0x2000000,
    "uts": 0x4000000,
    "ipc": 0x8000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
# Whoever may make a user namespace has every capability in it, and so may make the others.
MOUNTS = (
    # name, source, target, type, flags, data
    ("a new tmpfs", b"none", b".", b"tmpfs", 0, None),
    ("a new /proc", b"none", b".", b"proc", 0, None),
    ("a new /sys", b"none", b".", b"sysfs", 0, None),
    ("new terminals", b"none", b".", b"devpts", 0, b"newinstance"),
    ("control groups", b"none", b".", b"cgroup2", 0, None),
    ("a new overlay", b"none", b".", b"overlay", 0, b"lowerdir=/usr:/etc"),
    ("the kernel's debugging files", b"none", b".", b"debugfs", 0, None),
    ("the table of binary formats", b"none", b".", b"binfmt_misc", 0, None),
    ("message queues", b"none", b".", b"mqueue", 0, None),
    ("another view of the root", b"/", b".", None, 0x1000 | 0x4000, None),
    ("the root, writable", None, b"/", None, 0x1000 | 0x20, None),
    ("what is mounted, shared with others", None, b"/", None, 0x4000 | 0x100000, None),
)
MOUNT_CALLS: tuple[tuple[str, str, str, tuple[str, ...], Control], ...] = (
    # name, call, arguments, errors that come after the wall, control
    ("a file system opened", "fsopen", 'b"tmpfs", 0', (), "bare"),
    ("a file system picked", "fspick", '-100, b"/", 0', (), "bare"),
    ("a file system configured", "fsconfig", "-1, 0, None, None, 0", ("EINVAL", "EBADF"), "unprivileged"),
    ("a mount made of a file system", "fsmount", "-1, 0, 0", ("EBADF",), "bare"),
    ("a tree cloned", "open_tree", '-100, b"/", 1', (), "bare"),
    ("a tree cloned with attributes", "open_tree_attr", '-100, b"/", 1, buffer(32), 32', (), "bare"),
    ("a mount moved", "move_mount", '-1, b"", -1, b"", 0x44', ("EBADF",), "bare"),
    (
        "the root made writable",
        "mount_setattr",
        '-100, b"/", 0, struct.pack("4Q", 0, 1, 0, 0), 32',
        (),
        "bare",
    ),
    ("/proc uncovered", "umount2", 'b"/proc", 2', (), "bare"),
    ("the workspace uncovered", "umount2", 'b"/tmp", 2', ("EINVAL",), "bare"),
    ("another root", "pivot_root", 'b".", b"."', ("EBUSY", "EINVAL"), "bare"),
    (
        "mounts listed",
        "listmount",
        'struct.pack("IIQQ", 24, 0, 2**64 - 1, 0), buffer(800), 100, 0',
        (),
        "unprivileged",
    ),
    (
        "a mount described",
        "statmount",
        'struct.pack("IIQQ", 24, 0, 1 << 62, 1), buffer(512), 512, 0',
        ("ENOENT",),
        "unprivileged",
    ),
)

JOIN = """
with attempt({reached}): syscall("setns", os.open({path}, os.O_RDONLY), 0)
"""
JOIN_BY_PIDFD = """
with attempt(): syscall("setns", syscall("pidfd_open", {pid}, 0), {flags})
"""
CLONE = """
with attempt():
    child = {call}
    if child == 0: os._exit(0)
    os.waitpid(child, 0)
"""
CLONE_OLD = 'syscall("clone", {flags} | 17, 0, 0, 0, 0)'
CLONE_NEW = 'syscall("clone3", struct.pack("8Q", {flags}, 0, 0, 0, 17, 0, 0, 0), 64)'
CLONES: tuple[tuple[str, int, Control], ...] = (
    ("a new user", FLAGS["user"], "unprivileged"),
    ("a new user and mount", FLAGS["user"] | FLAGS["mnt"], "unprivileged"),
    ("a new user and network", FLAGS["user"] | FLAGS["net"], "unprivileged"),
    ("a new mount", FLAGS["mnt"], "bare"),
    ("a new pid", FLAGS["pid"], "bare"),
)
CHROOT = """
with attempt(): os.chroot("/usr")
"""
DOUBLE_CHROOT = """
with attempt():
    os.mkdir("inner")
    os.chroot("inner")
    for _ in range(40): os.chdir("..")
    os.chroot(".")
    breach(open(HOST.secret_file).read(8))
"""
# What is here belongs to the host, and is opened only.
CGROUP_FILE = """
for folder, _, found in os.walk("/sys/fs/cgroup"):
    for name in set(found) & {names!r}:
        try: os.open(os.path.join(folder, name), os.O_WRONLY)
        except OSError: continue
        breach(os.path.join(folder, name))
blocked("none can be opened")
"""


def _mount_call(call: str, arguments: str, reached: tuple[str, ...]) -> str:
    errors = ", ".join(map(repr, reached))
    return f"with attempt({errors}): syscall({call!r}, {arguments})"


PROBES = (
    *(
        Probe(
            f"a new {kind} namespace",
            "seccomp",
            f'with attempt(): syscall("unshare", {flag})',
            "unprivileged" if kind == "user" else "bare",
        )
        for kind, flag in FLAGS.items()
    ),
    *(
        Probe(f"{name} namespace by {call}", "seccomp", CLONE.format(call=code.format(flags=flags)), control)
        for call, code in (("clone", CLONE_OLD), ("clone3", CLONE_NEW))
        for name, flags, control in CLONES
    ),
    *(
        # The kernel refuses to enter the user namespace where one is, before it asks for rights.
        Probe(
            f"the {kind} namespace of init",
            "pid namespace",
            JOIN.format(path=f'"/proc/1/ns/{kind}"', reached='"EINVAL"' if kind == "user" else ""),
        )
        for kind in FLAGS
    ),
    Probe(
        "the mount namespace of a process of the host",
        "pid namespace",
        JOIN.format(path='"/proc/%d/ns/mnt" % HOST.victim_pid', reached=""),
    ),
    *(
        Probe(f"{name} by pidfd", "pid namespace", JOIN_BY_PIDFD.format(pid=pid, flags=FLAGS["uts"]))
        for name, pid in (
            ("the namespaces of init", "HOST.init_pid"),
            ("the namespaces of the host", "HOST.victim_pid"),
        )
    ),
    *(
        Probe(
            f"mounting {name}",
            "seccomp",
            f"with attempt(): syscall('mount', {', '.join(map(repr, arguments))})",
            unsupported=("ENOSYS", "ENODEV"),
        )
        for name, *arguments in MOUNTS
    ),
    *(
        Probe(name, "seccomp", _mount_call(call, arguments, reached), control)
        for name, call, arguments, reached, control in MOUNT_CALLS
    ),
    Probe("another root folder", "seccomp", CHROOT),
    Probe("out of one root folder by a second", "seccomp", DOUBLE_CHROOT),
    *(
        Probe(name, "file system", CGROUP_FILE.format(names=names), unsupported=("none can be opened",))
        for name, names in (
            ("a program run by the host when a control group empties", {"release_agent"}),
            ("leaving its control group", {"cgroup.procs", "tasks"}),
            ("lifting the limits of a control group", {"memory.limit_in_bytes", "memory.max", "pids.max"}),
            ("the devices of a control group", {"devices.allow"}),
        )
    ),
)
