"""The system calls that build and keep a jail and that python has no function for; decides nothing."""

from __future__ import annotations

import _socket
import ctypes
import os
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 0x2

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
AT_FDCWD = -100
AT_RECURSIVE = 0x8000
AT_EMPTY_PATH = 0x1000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2

PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
CAPSET = {"x86_64": 126, "aarch64": 91}
MOUNT_SETATTR = 442
FCHMODAT2 = 452
CAPABILITY_VERSION_3 = 0x20080522
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
IFREQ = "16sH14x"

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_machine = os.uname().machine
_OWN_CAPABILITIES = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
_NO_CAPABILITIES = bytes(24)


def _check(value: int, what: str) -> int:
    if value < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return value


def _path(path: str | None) -> bytes | None:
    return None if path is None else os.fsencode(path)


def unshare(flags: int) -> None:
    _check(_libc.unshare(ctypes.c_int(flags)), f"unshare({flags:#x})")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    done = _libc.mount(
        _path(source), _path(target), _path(kind), ctypes.c_ulong(flags), options.encode() or None
    )
    _check(done, f"mount {kind or source or ''} on {target}")


def set_mount_attributes(target: str, attributes: int, *, below: bool) -> None:
    """Set attributes of the mount at `target`, and of all below it. Raises OSError (before Linux 5.12)."""
    changes = struct.pack("=QQQQ", attributes, 0, 0, 0)
    done = _libc.syscall(
        ctypes.c_long(MOUNT_SETATTR),
        ctypes.c_int(AT_FDCWD),
        _path(target),
        ctypes.c_uint(AT_RECURSIVE if below else 0),
        changes,
        ctypes.c_size_t(len(changes)),
    )
    _check(done, f"mount_setattr {target}")


def unmount(target: str) -> None:
    """Take a mount out of sight; it ends when its last user closes it."""
    _check(_libc.umount2(_path(target), MNT_DETACH), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    _check(_libc.syscall(ctypes.c_long(PIVOT_ROOT[_machine]), _path(new), _path(old)), "pivot_root")


def prctl(option: int, value: int = 0, more: int = 0) -> None:
    arguments = [ctypes.c_ulong(argument) for argument in (value, more, 0, 0)]
    _check(_libc.prctl(ctypes.c_int(option), *arguments), f"prctl({option})")


def change_mode(descriptor: int, mode: int) -> None:
    """Change the mode of a file open by O_PATH, whatever its name is. Raises OSError (before Linux 6.6)."""
    done = _libc.syscall(
        ctypes.c_long(FCHMODAT2),
        ctypes.c_int(descriptor),
        b"",
        ctypes.c_uint(mode),
        ctypes.c_int(AT_EMPTY_PATH),
    )
    _check(done, "fchmodat2")


def drop_bounding_set() -> None:
    """No capability can be had again by executing anything. Raises OSError without CAP_SETPCAP."""
    with open("/proc/sys/kernel/cap_last_cap") as file:
        last = int(file.read())
    for capability in range(last + 1):
        prctl(PR_CAPBSET_DROP, capability)


def drop_capabilities() -> None:
    """Give up every capability of this thread."""
    _check(_libc.syscall(CAPSET[_machine], _OWN_CAPABILITIES, _NO_CAPABILITIES), "capset")


class Filter:
    """A seccomp program (one struct sock_filter after another) as a struct sock_fprog, for the kernel."""

    def __init__(self, program: bytes) -> None:
        self.code = ctypes.create_string_buffer(program, len(program))
        self.header = struct.pack("@HP", len(program) // 8, ctypes.addressof(self.code))


def install_filter(filter: Filter) -> None:
    """Put a filter on this thread and all it forks. Needs no-new-privileges. Raises OSError."""
    _check(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter.header, 0, 0), "prctl(PR_SET_SECCOMP)")


def bring_up_loopback() -> None:
    from fcntl import ioctl

    any_socket = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    flags = struct.unpack(IFREQ, ioctl(any_socket.fileno(), SIOCGIFFLAGS, struct.pack(IFREQ, b"lo", 0)))[1]
    ioctl(any_socket.fileno(), SIOCSIFFLAGS, struct.pack(IFREQ, b"lo", flags | IFF_UP))
    any_socket.close()
