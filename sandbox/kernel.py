"""How the host opens and makes files among those of untrusted code; what for is decided elsewhere.

Two of the system calls have no function in python and are made through ctypes.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import secrets
import stat
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from sandbox.errors import SandboxUnavailable
from sandbox.inside.wire import write_all

OPENAT2 = 437
"""The same number on x86_64 and aarch64: calls younger than 2019 share one table."""

STAY_BENEATH = 0x08 | 0x04 | 0x02 | 0x01
"""RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV."""

PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE = 1, 2, 3, 4

_acting = threading.Lock()


def openat2(folder: int, path: str, flags: int, mode: int = 0) -> int:
    """Open `path`, which must lie beneath the descriptor `folder` and cross no link and no mount.

    The kernel checks that at every step, so nothing swapped meanwhile leads elsewhere. Raises OSError, ELOOP
    at a symbolic link, EXDEV where the path would leave, and SandboxUnavailable where the call is missing.
    """
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, STAY_BENEATH)
    descriptor: int = _libc().syscall(OPENAT2, folder, os.fsencode(path), how, len(how))
    if descriptor >= 0:
        return descriptor
    number = ctypes.get_errno()
    # Old system-call filters of containers answer EPERM; opening by O_PATH never does so by itself.
    if number == errno.ENOSYS or (number == errno.EPERM and flags & os.O_PATH):
        raise SandboxUnavailable(
            "There is no openat2 here, without which files cannot be fetched safely from a sandbox.",
            "Use Linux 5.6 or newer, and let a container's system-call filter pass openat2.",
        )
    reason = "a symbolic link, and none is followed" if number == errno.ELOOP else os.strerror(number)
    raise OSError(number, reason, path)


def open_to_read(folder: int, path: str, kind: int) -> tuple[int, os.stat_result]:
    """A descriptor to read `path` beneath `folder` by, and its status. `kind` is S_IFREG or S_IFDIR.

    Looked at through an O_PATH descriptor first, which wakes no FIFO and no driver, then opened by way of it,
    so what was looked at is what is opened. Rights that the owner took from itself are given back: root would
    read without them, and what can be read should not depend on who the host is.

    Raises OSError: IsADirectoryError, NotADirectoryError or EINVAL for another kind of file; EAGAIN for one
    under a lease, with which code inside would stop an open that waits.
    """
    try:
        handle = openat2(folder, path, os.O_PATH)
    except PermissionError:
        if path != ".":
            raise
        # Nothing can be looked up in a folder whose owner has locked it, not even itself.
        handle = os.dup(folder)
    try:
        status = os.fstat(handle)
        found = stat.S_IFMT(status.st_mode)
        if found != kind and kind == stat.S_IFDIR:
            raise NotADirectoryError(errno.ENOTDIR, "not a folder", path)
        if found == stat.S_IFDIR and kind != found:
            raise IsADirectoryError(errno.EISDIR, "a folder, not a regular file", path)
        if found != kind:
            raise OSError(errno.EINVAL, "not a regular file", path)
        itself = f"/proc/self/fd/{handle}"
        needed = stat.S_IRUSR | (stat.S_IXUSR if kind == stat.S_IFDIR else 0)
        # The other name of a file that has two may lie outside: its rights are left alone.
        if status.st_mode & needed != needed and (kind == stat.S_IFDIR or status.st_nlink == 1):
            os.chmod(itself, stat.S_IMODE(status.st_mode) | needed)
        return os.open(itself, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), status
    finally:
        os.close(handle)


def make_folders(folder: int, names: Sequence[str], owner: tuple[int, int] | None) -> int:
    """A descriptor of the innermost of the nested folders `names` of `folder`, each made where missing."""
    with suppress(FileNotFoundError):
        return openat2(folder, "/".join(names) or ".", os.O_PATH | os.O_DIRECTORY)
    here = openat2(folder, ".", os.O_PATH | os.O_DIRECTORY)
    for name in names:
        try:
            with suppress(FileExistsError), making_files_for(owner):
                os.mkdir(name, 0o755, dir_fd=here)
            inner = openat2(here, name, os.O_PATH | os.O_DIRECTORY)
        finally:
            os.close(here)
        here = inner
    return here


def replace_file(folder: int, name: str, data: bytes, owner: tuple[int, int] | None) -> None:
    """Write `data` to a new file, which then takes over `name` in `folder`; on any error nothing has changed.

    So a link, FIFO or device of that name is neither followed nor opened, and code inside sees the old or the
    new file whole. The price is room for both meanwhile.
    """
    draft = f".write-{secrets.token_hex(8)}"
    with making_files_for(owner):
        descriptor = openat2(folder, draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            write_all(descriptor, data)
            os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft, dir_fd=folder)
            raise
        finally:
            os.close(descriptor)


@contextmanager
def making_files_for(owner: tuple[int, int] | None) -> Iterator[None]:
    """What this thread makes inside the block belongs to `owner`, a (uid, gid); None changes nothing.

    To chown afterwards is too late: a file system of another user namespace takes no new name from a uid that
    is unknown there, as root's is (EOVERFLOW). Raises SandboxUnavailable without the right to become `owner`.
    """
    if owner is None:
        yield
        return
    uid, gid = owner
    libc = _libc()
    # The kernel resets two settings of the process at each change. Threads share the first, hence the lock.
    with _acting:
        dumpable = libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
        death_signal = ctypes.c_int()
        libc.prctl(PR_GET_PDEATHSIG, ctypes.addressof(death_signal), 0, 0, 0)
        former_gid, former_uid = libc.setfsgid(gid), libc.setfsuid(uid)
        try:
            # They answer only with the id before, so ask once more; -1 changes nothing.
            if (libc.setfsgid(-1), libc.setfsuid(-1)) != (gid, uid):
                raise SandboxUnavailable(
                    f"This process may not make files for uid {uid} and gid {gid}.",
                    "Give it CAP_SETUID and CAP_SETGID, or run it as a user without any rights.",
                )
            yield
        finally:
            libc.setfsuid(former_uid)
            libc.setfsgid(former_gid)
            libc.prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0)
            libc.prctl(PR_SET_PDEATHSIG, death_signal.value, 0, 0, 0)


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    libc.syscall.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t)
    libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
    for change in (libc.setfsuid, libc.setfsgid):
        change.argtypes = (ctypes.c_uint,)
        change.restype = ctypes.c_uint
    return libc
