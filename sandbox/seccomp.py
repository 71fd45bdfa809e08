"""System-call filters as classic BPF programs; knows nothing of jails or processes.

Default is allow: the jail's namespaces are the wall, and this filter closes the doors that no namespace
covers. A denied call fails with EPERM, as a missing permission does, so that ordinary programs carry on.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Set

from sandbox.errors import SandboxUnavailable

DENIED: dict[str, dict[str, tuple[int | None, int | None]]] = {
    # Each name with its number on x86_64 and on aarch64 (None: the architecture has no such call).
    "would build a new view of the file system or another namespace": {
        "mount": (165, 40),
        "umount2": (166, 39),
        "pivot_root": (155, 41),
        "chroot": (161, 51),
        "unshare": (272, 97),
        "setns": (308, 268),
        "open_tree": (428, 428),
        "move_mount": (429, 429),
        "fsopen": (430, 430),
        "fsconfig": (431, 431),
        "fsmount": (432, 432),
        "fspick": (433, 433),
        "mount_setattr": (442, 442),
        "statmount": (457, 457),
        "listmount": (458, 458),
        "open_tree_attr": (467, 467),
    },
    "would reach into another process, such as the jail's driver": {
        "ptrace": (101, 117),
        "process_vm_readv": (310, 270),
        "process_vm_writev": (311, 271),
        "process_madvise": (440, 440),
        "kcmp": (312, 272),
        "pidfd_getfd": (438, 438),
        "migrate_pages": (256, 238),
        "move_pages": (279, 239),
    },
    "opens a large or young part of the kernel, where most escapes were found": {
        "bpf": (321, 280),
        "perf_event_open": (298, 241),
        "userfaultfd": (323, 282),
        "io_uring_setup": (425, 425),
        "io_uring_enter": (426, 426),
        "io_uring_register": (427, 427),
        "fanotify_init": (300, 262),
        "vmsplice": (278, 75),
        "mbind": (237, 235),
        "set_mempolicy": (238, 237),
        "set_mempolicy_home_node": (450, 450),
        "personality": (135, 92),
        "lsm_set_self_attr": (460, 460),
    },
    "keeps state in the kernel that belongs to no namespace": {
        "add_key": (248, 217),
        "request_key": (249, 218),
        "keyctl": (250, 219),
        # Requests that wait are a number that all users of the machine share (fs.aio-max-nr).
        "io_setup": (206, 0),
    },
    "holds memory that no limit of the jail counts": {
        "memfd_create": (319, 279),
        "memfd_secret": (447, 447),
        "shmget": (29, 194),
        "shmat": (30, 196),
        "shmctl": (31, 195),
        "msgget": (68, 186),
        "semget": (64, 190),
        "mq_open": (240, 180),
    },
    "opens a file by its number, past every path check": {
        "name_to_handle_at": (303, 264),
        "open_by_handle_at": (304, 265),
    },
    "administers the machine": {
        "init_module": (175, 105),
        "finit_module": (313, 273),
        "delete_module": (176, 106),
        "kexec_load": (246, 104),
        "kexec_file_load": (320, 294),
        "reboot": (169, 142),
        "swapon": (167, 224),
        "swapoff": (168, 225),
        "acct": (163, 89),
        "syslog": (103, 116),
        "quotactl": (179, 60),
        "quotactl_fd": (443, 443),
        "settimeofday": (164, 170),
        "clock_settime": (227, 112),
        "clock_adjtime": (305, 266),
        "adjtimex": (159, 171),
        "sethostname": (170, 161),
        "setdomainname": (171, 162),
        "vhangup": (153, 58),
        "ustat": (136, None),
        "sysfs": (139, None),
        "uselib": (134, None),
        "iopl": (172, None),
        "ioperm": (173, None),
        "modify_ldt": (154, None),
    },
}

# Resource and scheduling calls name a process: allowed on oneself (0), else the code could strangle init,
# which may have the same uid. The value gives what each argument has to be, and the call's numbers.
OWN_PROCESS_ONLY: dict[str, tuple[tuple[int, ...], tuple[int, int]]] = {
    "prlimit64": ((0,), (302, 261)),
    "sched_setparam": ((0,), (142, 118)),
    "sched_setscheduler": ((0,), (144, 119)),
    "sched_setaffinity": ((0,), (203, 122)),
    "sched_setattr": ((0,), (314, 274)),
    # PRIO_PROCESS and IOPRIO_WHO_PROCESS: with the other kinds, 0 means all processes of the own user.
    "setpriority": ((0, 0), (141, 140)),
    "ioprio_set": ((1, 0), (251, 30)),
}

CLONE = (56, 220)
CLONE3 = (435, 435)
SOCKET = (41, 198)
IOCTL = (16, 29)

# CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: another namespace. CLONE_PARENT: a
# child of init's that init did not fork.
CLONE_FLAGS = (
    0x80 | 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000 | 0x8000
)
# AF_UNIX, AF_INET, AF_INET6. Others, AF_VSOCK above all, reach past the network namespace.
SOCKET_FAMILIES = (1, 2, 10)
# The usual one of each type, ICMP, TCP, UDP, ICMPv6. SCTP, DCCP and multipath TCP are large parts of it.
SOCKET_PROTOCOLS = (0, 1, 6, 17, 58)
# TIOCSTI and TIOCLINUX type into the terminal of whoever started the sandbox.
TERMINAL_INJECTION = (0x5412, 0x541C)
# Calls younger than this filter get ENOSYS, and programs fall back to an older one that the filter knows.
NEWEST_KNOWN_CALL = 467
X32_CALLS = 0x40000000

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

LOAD, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL_PROCESS = 0x7FFF0000, 0x80000000
CALL_NUMBER, ARCHITECTURE = 0, 4  # offsets in struct seccomp_data

Instruction = tuple[int, int, int, int]
"""Operation, instructions to skip if true, if false, operand: the kernel's struct sock_filter."""


INIT_CALLS = frozenset({"mount", "umount2"})
"""What a zygote's init, which has the capability for them, needs to give every run a new workspace."""


def build_runner_filter(machine: str) -> bytes:
    """What a runner adds to the filter of a zygote's init, which it was forked from: denies `INIT_CALLS`."""
    column = column_of(machine)
    program: list[Instruction] = [(LOAD, 0, 0, CALL_NUMBER)]
    for calls in DENIED.values():
        for name in INIT_CALLS & calls.keys():
            program += when(calls[name][column] or 0, [fail(errno.EPERM)])
    program.append((RETURN, 0, 0, ALLOW))
    return pack(program)


def build_filter(machine: str, allowed: Set[str] = frozenset()) -> bytes:
    """The filter for `machine` (as `platform.machine()` names it), as bytes of struct sock_filter.

    `allowed` names calls that it does not deny. Raises SandboxUnavailable for a machine it does not know.
    """
    column = column_of(machine)
    program: list[Instruction] = [
        # A call made through another ABI has other numbers: the rest of the filter would misread it.
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, CALL_NUMBER),
    ]
    if machine == "x86_64":
        program += [(JUMP_GREATER_EQUAL, 0, 1, X32_CALLS), fail(errno.ENOSYS)]
    program += [(JUMP_GREATER_EQUAL, 0, 1, NEWEST_KNOWN_CALL + 1), fail(errno.ENOSYS)]
    # Flags of clone3 lie in memory, where a filter cannot look; on ENOSYS libc falls back to clone.
    program += when(CLONE3[column], [fail(errno.ENOSYS)])
    for calls in DENIED.values():
        for name, numbers in calls.items():
            number = numbers[column]
            if number is not None and name not in allowed:
                program += when(number, [fail(errno.EPERM)])
    for required, numbers_of in OWN_PROCESS_ONLY.values():
        block = [
            instruction
            for position, value in enumerate(required)
            for instruction in else_fail(position, (value,), errno.EPERM)
        ]
        program += when(numbers_of[column], [*block, (RETURN, 0, 0, ALLOW)])
    program += when(
        CLONE[column],
        [load(0), (JUMP_BITS, 0, 1, CLONE_FLAGS), fail(errno.EPERM), (RETURN, 0, 0, ALLOW)],
    )
    program += when(
        SOCKET[column],
        [
            *else_fail(0, SOCKET_FAMILIES, errno.EAFNOSUPPORT),
            *else_fail(2, SOCKET_PROTOCOLS, errno.EPROTONOSUPPORT),
            (RETURN, 0, 0, ALLOW),
        ],
    )
    program += when(IOCTL[column], deny_only(1, TERMINAL_INJECTION, errno.EPERM))
    program.append((RETURN, 0, 0, ALLOW))
    return pack(program)


def column_of(machine: str) -> int:
    """Where a machine's numbers stand in the tables."""
    if machine not in AUDIT_ARCH:
        raise SandboxUnavailable(
            f"The sandbox has no system-call filter for {machine}.", f"Use {' or '.join(AUDIT_ARCH)}."
        )
    return list(AUDIT_ARCH).index(machine)


def pack(program: list[Instruction]) -> bytes:
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def when(call: int, block: list[Instruction]) -> list[Instruction]:
    """Run `block`, which ends in a return, for the call of this number, else skip it."""
    return [(JUMP_EQUAL, 0, len(block), call), *block]


def else_fail(position: int, values: tuple[int, ...], error: int) -> list[Instruction]:
    """Go on when the argument at `position` is one of `values`, else fail."""
    last = len(values)
    tests = [(JUMP_EQUAL, last - i, 0, value) for i, value in enumerate(values)]
    return [load(position), *tests, fail(error)]


def deny_only(position: int, values: tuple[int, ...], error: int) -> list[Instruction]:
    """Deny the call when the argument at `position` is one of `values`."""
    last = len(values)
    tests = [(JUMP_EQUAL, last - i, 0, value) for i, value in enumerate(values)]
    return [load(position), *tests, (RETURN, 0, 0, ALLOW), fail(error)]


def load(position: int) -> Instruction:
    """Load the low half of an argument; every argument tested here is a 32-bit int to the kernel."""
    return (LOAD, 0, 0, 16 + 8 * position)


def fail(error: int) -> Instruction:
    return (RETURN, 0, 0, 0x00050000 | error)
