"""Landlock: a thread gives up files, TCP and processes outside, for itself and for all that it starts.

Works without privilege, and nothing takes it back. By raw system calls, as libc has no functions for them;
numbers and masks are those of the kernel's include/uapi/linux/landlock.h, the same on every architecture.
"""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False  # as a name of its own: typing takes longer to import than the rest of this module
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

CREATE_RULESET = 444
ADD_RULE = 445
RESTRICT_SELF = 446
PR_SET_NO_NEW_PRIVS = 38

ASK_VERSION = 1
"""Flag to CREATE_RULESET: make none, but tell the version of the interface."""
RULE_PATH_BENEATH = 1
"""Kind of rule: what is allowed on a file, or on a folder and all beneath it."""

EXECUTE = 1 << 0
WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3  # list it
REMOVE_DIR = 1 << 4
REMOVE_FILE = 1 << 5
MAKE_CHAR = 1 << 6  # a character device
MAKE_DIR = 1 << 7
MAKE_REG = 1 << 8  # a regular file
MAKE_SOCK = 1 << 9  # a unix socket with a path
MAKE_FIFO = 1 << 10
MAKE_BLOCK = 1 << 11  # a block device
MAKE_SYM = 1 << 12  # a symbolic link
REFER = 1 << 13  # rename or link into another folder; without it that fails with EXDEV
TRUNCATE = 1 << 14
IOCTL_DEV = 1 << 15  # ioctl on a device opened after the restriction

BIND_TCP = 1 << 0
CONNECT_TCP = 1 << 1

SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0
"""No connection to an abstract unix socket that was made outside."""
SCOPE_SIGNAL = 1 << 1
"""No signal to a process outside."""

LOG_SAME_EXEC_OFF = 1 << 0
LOG_SUBDOMAINS_OFF = 1 << 2
"""Both: write no audit record of denials, with which the code inside could flood the host's log."""

# Each kind of right with the version of the interface that brought it.
FILES_SINCE = {
    1: EXECUTE | WRITE_FILE | READ_FILE | READ_DIR | REMOVE_DIR | REMOVE_FILE | MAKE_CHAR | MAKE_DIR
    | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_BLOCK | MAKE_SYM,
    2: REFER,
    3: TRUNCATE,
    5: IOCTL_DEV,
}  # fmt: skip
TCP_SINCE = 4
SCOPES_SINCE = 6
LOG_FLAGS_SINCE = 7

READING = EXECUTE | READ_FILE | READ_DIR
NEVER = MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV
ON_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
"""The rights that a rule for anything but a folder may name."""


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class RulesetAttributes(ctypes.Structure):
    """What is denied unless a rule allows it. An older kernel takes the longer structure if its end is 0."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class PathBeneath(ctypes.Structure):
    """A rule: the rights allowed beneath the folder, or on the file, that a descriptor stands for."""

    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def abi() -> int:
    """The version of the kernel's Landlock interface, 0 if it has none or has it switched off."""
    try:
        return _call(CREATE_RULESET, None, 0, ASK_VERSION)
    except OSError:
        return 0


def restrict(readable: Iterable[str], writable: Iterable[str]) -> tuple[str, ...]:
    """Restrict the calling thread for good. The names of what holds from now on: none on a kernel without.

    Files can be read and run beneath `readable`; beneath `writable` all can be done but to make a device, or
    to use one by ioctl. No other file can be opened, made or removed, no TCP port bound or connected to; no
    signal and no connection to an abstract unix socket gets out. A path is that of a file or a folder; one of
    `readable` that is not there is passed over. Descriptors already open keep their rights.

    The rest takes a system-call filter: UDP, MPTCP, TCP Fast Open, listening unbound, unix sockets with a
    path; mode, owner, times and attributes of any file; on an older kernel more. Sets no_new_privs in any
    case. After an OSError no code may be run.
    """
    _forbid_new_privileges()
    version = abi()
    if version == 0:
        return ()
    handled = sum(rights for since, rights in FILES_SINCE.items() if since <= version)
    attributes = RulesetAttributes(
        handled,
        BIND_TCP | CONNECT_TCP if version >= TCP_SINCE else 0,
        SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL if version >= SCOPES_SINCE else 0,
    )
    ruleset = _call(CREATE_RULESET, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    try:
        for path in readable:
            try:
                _allow(ruleset, path, handled & READING)
            except FileNotFoundError:
                continue
        for path in writable:
            _allow(ruleset, path, handled & ~NEVER)
        flags = LOG_SAME_EXEC_OFF | LOG_SUBDOMAINS_OFF if version >= LOG_FLAGS_SINCE else 0
        _call(RESTRICT_SELF, ruleset, flags)
    finally:
        os.close(ruleset)
    active = ["landlock_files"]
    if version >= TCP_SINCE:
        active.append("landlock_tcp")
    if version >= SCOPES_SINCE:
        active += ["landlock_signals", "landlock_abstract_sockets"]
    return tuple(active)


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not os.path.isdir(descriptor):
            rights &= ON_A_FILE
        rule = PathBeneath(rights, descriptor)
        _call(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)


def _forbid_new_privileges() -> None:
    """The kernel asks for it from who has no privilege: no setuid program may undo what was given up."""
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0))) < 0:
        _fail("prctl(PR_SET_NO_NEW_PRIVS)")


def _call(number: int, *arguments: object) -> int:
    # Each number as wide as a register, since a variadic function gets an int with its upper half undefined.
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    result: int = _libc.syscall(ctypes.c_long(number), *words)
    if result < 0:
        _fail(f"system call {number} (Landlock)")
    return result


def _fail(what: str) -> NoReturn:
    number = ctypes.get_errno()
    raise OSError(number, f"{what}: {os.strerror(number)}")
