"""Files of the host: reading what is private, writing outside the workspace, devices, ways around a path."""

from __future__ import annotations

from tests.sandbox.abuse.probe import Control, Probe

ABSENT = ("ENOENT", "ENOTDIR")

READABLE: tuple[tuple[str, str, Control], ...] = (
    # name, expression of the path, control
    ("the host's passwords", '"/etc/shadow"', "bare"),
    ("a secret file by its path", "HOST.secret_file", "unprivileged"),
    ("a secret file through the root of init", '"/proc/1/root" + HOST.secret_file', "bare"),
    ("a secret file through its own root", '"/proc/self/root" + HOST.secret_file', "unprivileged"),
    ("a secret file through the folder of init", '"/proc/1/cwd/" + "../" * 20 + HOST.secret_file', "bare"),
    ("a secret file by climbing", '"../" * 40 + HOST.secret_file', "unprivileged"),
    ("shared memory of the host", "HOST.shared_file", "unprivileged"),
)
FOLDERS: tuple[tuple[str, str, Control], ...] = (
    ("the home of root", '"/root"', "bare"),
    ("the homes", '"/home"', "unprivileged"),
    ("the host's state", '"/var/lib"', "unprivileged"),
    ("the host's sockets and pids", '"/run"', "unprivileged"),
    ("the kernel's objects", '"/sys/kernel"', "bare"),
    ("the host's devices in /sys", '"/sys/block"', "unprivileged"),
)
WRITABLE = (
    *("/", "/usr", "/usr/bin", "/usr/lib", "/usr/local/bin", "/bin", "/lib", "/etc", "/var", "/var/tmp"),
    *("/root", "/home", "/opt", "/boot", "/run", "/dev"),
)
DEVICES = (
    *("kmsg", "mem", "port", "kvm", "fuse", "loop-control", "console", "tty1", "vcs1", "btrfs-control"),
    *("userfaultfd", "vsock", "cpu/0/msr"),
)

LEAKED = """
for name in os.listdir("/proc/self/fd"):
    try: target = os.readlink("/proc/self/fd/" + name)
    except OSError: continue
    own = target.startswith((os.getcwd(), "/dev/", "/proc/", "/memfd:"))
    if int(name) > 2 and target.startswith("/") and not own: breach(name + " leads to " + target)
blocked("none was left open")
"""
THROUGH_LEAKED = """
for name in os.listdir("/proc/self/fd"):
    try: found = os.open("." + HOST.secret_file, os.O_RDONLY, dir_fd=int(name))
    except OSError: continue
    breach(os.read(found, 8))
blocked("none leads out")
"""
# The jail may have a folder of that name; is it the host's?
SAME_FOLDER = """
with attempt():
    status = os.stat({path})
    if (status.st_dev, status.st_ino) == {identity}: breach(os.listdir({path}))
    blocked("a folder of its own")
"""
SYMLINK = """
with attempt():
    os.symlink(HOST.secret_file, "link")
    breach(open("link").read(8))
"""
BY_HANDLE = """
with attempt():
    handle = ctypes.create_string_buffer(struct.pack("IiII", 128, 1, 2, 0), 136)
    try:
        syscall("name_to_handle_at", -100, b"/dev/shm", handle, buffer(4), 0)
    except OSError:
        handle = struct.pack("IiII", 8, 1, 2, 0)  # a guess: inode 2 is the root of many file systems
    syscall("open_by_handle_at", os.open("/dev/shm", os.O_RDONLY), handle, os.O_RDONLY)
"""
HANDLE_OF = """
with attempt(): syscall("name_to_handle_at", -100, b"/dev/shm", struct.pack("Ii128x", 128, 0), buffer(4), 0)
"""
DISK = """
import stat
for folder, _, names in os.walk("/dev"):
    for name in names:
        path = os.path.join(folder, name)
        if not stat.S_ISBLK(os.lstat(path).st_mode): continue
        try: os.open(path, os.O_RDONLY)
        except OSError: continue
        breach(path)
blocked("none can be opened")
"""
NEW_DEVICE = """
import stat
with attempt("ENXIO"):
    os.mknod("device", {kind} | 0o600, {device})
    os.open("device", os.O_RDONLY | os.O_NONBLOCK)
"""
WRITE = """
path = os.path.join({folder!r}, "abuse-%d" % os.getpid())
with attempt():
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    os.unlink(path)
"""
# Of a file of the host: opened and not written to, or set to what it is. The control runs on the real ones.
OPEN = """
with attempt("ETXTBSY"): os.open({path}, os.O_WRONLY)
"""
LIBRARY = 'next(line.split()[-1] for line in open("/proc/self/maps") if "/libc" in line)'
CHMOD = """
with attempt(): os.chmod({path!r}, os.stat({path!r}).st_mode & 0o7777)
"""
IMMUTABLE = """
import fcntl
file = os.open("stuck", os.O_CREAT | os.O_RDONLY)
with attempt():
    fcntl.ioctl(file, 0x40086602, struct.pack("l", 0x10))
    fcntl.ioctl(file, 0x40086602, struct.pack("l", 0))
"""
TRUSTED = """
open("file", "w").close()
with attempt(): os.setxattr("file", "trusted.abuse", b"x")
"""

PROBES = (
    *(
        Probe(f"reading {name}", "file system", f"with attempt(): breach(open({path}).read(8))", control)
        for name, path, control in READABLE
    ),
    *(
        Probe(
            f"listing {name}",
            "file system",
            f"with attempt(): os.listdir({path})",
            control,
            unsupported=ABSENT,
        )
        for name, path, control in FOLDERS
    ),
    *(
        Probe(f"listing the {name}", "file system", SAME_FOLDER.format(path=path, identity=identity))
        for name, path, identity in (
            ("home of the host's user", "HOST.home", "HOST.home_identity"),
            ("folder that the host runs in", "HOST.project", "HOST.project_identity"),
        )
    ),
    *(
        Probe(
            f"writing in {folder}", "file system", WRITE.format(folder=folder), unsupported=(*ABSENT, "EROFS")
        )
        for folder in WRITABLE
    ),
    *(
        Probe(
            f"the device /dev/{name}",
            "file system",
            f"with attempt(): os.open('/dev/{name}', os.O_RDONLY | os.O_NONBLOCK)",
            unsupported=(*ABSENT, "ENXIO", "ENODEV", "EIO", "EBUSY"),
        )
        for name in DEVICES
    ),
    Probe("a block device of the host", "file system", DISK, unsupported=("none can be opened",)),
    Probe(
        "a block device made in the workspace",
        "capabilities",
        NEW_DEVICE.format(kind="stat.S_IFBLK", device='os.stat("/usr").st_dev'),
    ),
    Probe(
        "a character device made in the workspace",
        "capabilities",
        NEW_DEVICE.format(kind="stat.S_IFCHR", device="os.makedev(1, 11)"),
    ),
    *(
        Probe(f"{name} opened for writing", "file system", OPEN.format(path=path))
        for name, path in (
            ("a python of the host", "sys.executable"),
            ("its own program", '"/proc/self/exe"'),
            ("the program of init", '"/proc/1/exe"'),
            ("a library of the host", LIBRARY),
        )
    ),
    Probe("the mode of a program changed", "file system", CHMOD.format(path="/usr/bin/env")),
    Probe("the mode of /dev/null changed", "capabilities", CHMOD.format(path="/dev/null")),
    Probe(
        "a program of the host renamed",
        "file system",
        'with attempt(): os.rename("/usr/bin/env", "/usr/bin/env")',
    ),
    Probe("a folder left open by the host", "file system", LEAKED),
    Probe("a secret file through what was left open", "file system", THROUGH_LEAKED),
    Probe("a secret file through a symbolic link", "file system", SYMLINK, "unprivileged"),
    Probe(
        "a hard link to a program of root",
        "file system",
        'with attempt(): os.link("/usr/bin/passwd", "passwd")',
        unsupported=("ENOENT", "EXDEV"),
    ),
    Probe(
        "a file opened by its number", "seccomp", BY_HANDLE, unsupported=("ENOSYS", "EOPNOTSUPP", "ESTALE")
    ),
    Probe("the number of a file", "seccomp", HANDLE_OF, "unprivileged", unsupported=("ENOSYS", "EOPNOTSUPP")),
    Probe("a file that nobody can remove", "capabilities", IMMUTABLE, unsupported=("ENOTTY", "EOPNOTSUPP")),
    Probe("an attribute for the trusted", "capabilities", TRUSTED, unsupported=("EOPNOTSUPP",)),
)
