"""The system calls that are denied where namespaces are missing, besides those that are denied everywhere.

Landlock covers what a file holds, and signals. What it leaves open is closed here: sockets, whatever the
kernel keeps for all, and for code that has the user id of others the files' modes, owners, times, attributes.
"""

from __future__ import annotations

import errno

from sandbox.seccomp import (
    ALLOW,
    CALL_NUMBER,
    JUMP_EQUAL,
    LOAD,
    RETURN,
    SOCKET,
    Instruction,
    column_of,
    deny_only,
    else_fail,
    fail,
    load,
    pack,
    when,
)

# As in `sandbox.seccomp`, each name with its number on x86_64 and on aarch64.
OF_ALL: dict[str, tuple[int | None, int | None]] = {
    # Queues and semaphores of the host, which may be open to all, are found by trying small numbers.
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "mq_unlink": (241, 181),
    # They hand over descriptors: a file without a name that is under way is in no process's list, and so no
    # space could be counted for it.
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    # It tells who opens which file, also where Landlock lets no file be opened.
    "inotify_add_watch": (254, 27),
}
OF_A_USER: dict[str, tuple[int | None, int | None]] = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
}
SOCKETPAIR = (53, 199)
PRCTL = (157, 167)

AF_UNIX = 1
SOCK_STREAM, SOCK_SEQPACKET, SOCK_NONBLOCK, SOCK_CLOEXEC = 1, 5, 0o4000, 0o2000000
# These only talk to their other end. A packet of SOCK_DGRAM (or SOCK_RAW, which is the same here) can be sent
# to any socket with a path, such as that of a service of the host's.
PAIR_TYPES = tuple(
    kind | flags
    for kind in (SOCK_STREAM, SOCK_SEQPACKET)
    for flags in (0, SOCK_NONBLOCK, SOCK_CLOEXEC, SOCK_NONBLOCK | SOCK_CLOEXEC)
)
PR_SET_DUMPABLE = 4


def build_lone_filter(machine: str, shares_user: bool) -> bytes:
    """What is denied besides `sandbox.seccomp.build_filter`, on top of which it is to be put.

    `shares_user` says that others have the user id of the code. Raises SandboxUnavailable for a machine that
    it does not know.
    """
    column = column_of(machine)
    program: list[Instruction] = [(LOAD, 0, 0, CALL_NUMBER)]
    for numbers in (*OF_ALL.values(), *(OF_A_USER.values() if shares_user else ())):
        number = numbers[column]
        if number is not None:
            program += when(number, [fail(errno.EPERM)])
    # None but pairs: no address can be bound, none be connected to, and no packet has one.
    program += when(SOCKET[column], [fail(errno.EAFNOSUPPORT)])
    pair = [
        *else_fail(0, (AF_UNIX,), errno.EAFNOSUPPORT),
        *else_fail(1, PAIR_TYPES, errno.ESOCKTNOSUPPORT),
        (RETURN, 0, 0, ALLOW),
    ]
    program += when(SOCKETPAIR[column], pair)
    # Init looks through the descriptors of the code for files that have no name any more.
    hiding = [
        load(0),
        (JUMP_EQUAL, 1, 0, PR_SET_DUMPABLE),
        (RETURN, 0, 0, ALLOW),
        *deny_only(1, (0,), errno.EPERM),
    ]
    program += when(PRCTL[column], hiding)
    program.append((RETURN, 0, 0, ALLOW))
    return pack(program)
