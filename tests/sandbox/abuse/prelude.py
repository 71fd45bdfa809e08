"""What every probe starts with: raw system calls and the two words it may answer with. Runs inside the jail.

Its text is put before the probe's, so it is Python 3.9 with the standard library alone. The numbers are kept
apart from the sandbox's own table on purpose: a number that is wrong there is found here.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct  # noqa: F401 - for the probes
import sys
import types  # noqa: F401 - for the line that follows, with the victims
from collections.abc import Iterator
from typing import Any

NUMBERS = {  # on x86_64 and on aarch64; None where the architecture has no such call
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "capset": (126, 91),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "clone3": (435, 435),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "get_robust_list": (274, 100),
    "init_module": (175, 105),
    "io_setup": (206, 0),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "ioperm": (173, None),
    "iopl": (172, None),
    "ioprio_get": (252, 31),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "listmount": (458, 458),
    "lookup_dcookie": (212, 18),
    "lsm_set_self_attr": (460, 460),
    "mbind": (237, 235),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "mlock": (149, 228),
    "mlockall": (151, 230),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "sched_setattr": (314, 274),
    "semget": (64, 190),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmget": (29, 194),
    "socket": (41, 198),
    "statmount": (457, 457),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "sysfs": (139, None),
    "syslog": (103, 116),
    "tgkill": (234, 131),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "ustat": (136, None),
    "vhangup": (153, 58),
    "vmsplice": (278, 75),
}
COLUMN = 0 if platform.machine() == "x86_64" else 1
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long


def syscall(call: str | int, *arguments: Any) -> int:
    """Make a system call, named or by number. Raises OSError."""
    number = NUMBERS[call][COLUMN] if isinstance(call, str) else call
    if number is None:
        raise OSError(errno.ENOSYS, "not on this architecture")
    # As a long, since ctypes would hand over an int of 32 bits: some probes want the high ones.
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    value = int(LIBC.syscall(ctypes.c_long(number), *words))
    if value == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return value


def buffer(size: int) -> ctypes.Array[ctypes.c_char]:
    """Memory that the kernel may write into."""
    return ctypes.create_string_buffer(size)


def breach(detail: object = "") -> None:
    """Say that the attempt succeeded, and end."""
    print("BREACH", detail)
    sys.exit()


def blocked(reason: object) -> None:
    """Say that something stood in the way, and end."""
    print("blocked", reason)
    sys.exit()


def refused_before(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """What an attempt has to begin with, such as a socket, may be refused too: that is blocked as well."""
    if isinstance(error, OSError) and error.errno in REFUSALS:
        print("blocked", errno.errorcode[error.errno])
    else:
        sys.__excepthook__(kind, error, trace)


REFUSALS = (errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT)
sys.excepthook = refused_before


@contextlib.contextmanager
def attempt(*reached: str) -> Iterator[None]:
    """What is done in the block is forbidden: an OSError means blocked, coming to its end a breach.

    `reached` names the errors that the kernel gives only to those whom the wall let through.
    """
    try:
        yield
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, type(error).__name__)
        if name in reached:
            breach("past the wall, to " + name)
        blocked(name)
    breach("done")
