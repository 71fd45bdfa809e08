"""The command line of a jail, option by option with its reason. Builds lists of words; starts nothing."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable

from sandbox.contracts import Limits
from sandbox.errors import SandboxUnavailable
from sandbox.wire import WORKSPACE

ENVIRONMENT = {
    "HOME": WORKSPACE,
    "TMPDIR": WORKSPACE,
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "USER": "sandbox",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    # One CPU is what a run should count on; these libraries would start a thread for each of the host's.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


def system_mounts() -> list[str]:
    """The options that show the host's programs and libraries, read-only, laid out as on this host."""
    options = ["--ro-bind", "/usr", "/usr"]
    for folder in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        if os.path.islink(folder):
            options += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            options += ["--ro-bind", folder, folder]
    # What the loader, `update-alternatives` and the clock need; nothing of /etc tells who the host is.
    for file in ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"):
        options += ["--ro-bind-try", file, file]
    return options


def jail_command(
    bwrap: str,
    limits: Limits,
    mounts: Iterable[str],
    *,
    seccomp_fd: int,
    info_fd: int,
    program: Iterable[str],
) -> list[str]:
    """The bwrap command line that runs `program` in a jail; reading it from the top is reading the jail.

    Nothing here is a `-try`: a kernel that cannot give one of the walls refuses the jail.
    """
    memory_file_bytes = str(limits.tmp_mb << 20)
    jail = [
        bwrap,
        # Own users: what looks like uid 1000 inside is an unprivileged stranger on the host, never its root.
        *("--unshare-user", "--uid", "1000", "--gid", "1000"),
        # A new user namespace would give back the capabilities that kernel exploits start from.
        "--disable-userns",
        # Own processes: the host's can neither be seen nor signalled, and all die with the jail's first one.
        "--unshare-pid",
        # So the driver is that first one, which no code inside can kill.
        "--as-pid-1",
        # Own network with nothing but a loopback of its own; abstract Unix sockets belong to it too.
        "--unshare-net",
        # Own System V and POSIX queues, own host name, own view of control groups.
        *("--unshare-ipc", "--unshare-uts", "--unshare-cgroup"),
        *("--hostname", "sandbox"),
        # No capability survives, not even inside the user namespace. bwrap itself sets no-new-privileges.
        *("--cap-drop", "ALL"),
        # Killed with the host's process, so a host killed by SIGKILL leaves nothing.
        "--die-with-parent",
        # No controlling terminal to push keystrokes into.
        "--new-session",
        # System calls that no namespace covers.
        *("--seccomp", str(seccomp_fd)),
        # None of the host's environment, where secrets live.
        "--clearenv",
        *(word for name, value in ENVIRONMENT.items() for word in ("--setenv", name, value)),
        # The host's programs and libraries, read-only, and none of its other files.
        *mounts,
        *("--proc", "/proc"),
        # null, zero, full, random, urandom, tty. The folder itself is a tmpfs without a bound: hence
        # read-only, with bounded shared memory in it, which multiprocessing's locks need.
        *("--dev", "/dev"),
        *("--size", memory_file_bytes, "--perms", "1777", "--tmpfs", "/dev/shm"),
        *("--remount-ro", "/dev"),
        # The workspace: the only other place that can be written.
        *("--size", memory_file_bytes, "--perms", "0700", "--tmpfs", WORKSPACE),
        # The root folder is a tmpfs without a bound too.
        *("--remount-ro", "/"),
        *("--chdir", WORKSPACE),
        # Where bwrap tells the pid of the jail's first process.
        *("--info-fd", str(info_fd)),
        "--",
    ]
    return [*jail, *program]


def unprivileged_prefix(setpriv: str, uid: int) -> list[str]:
    """The command that takes root's rights from what follows.

    A jail started by root would be mapped to root, who may read the host's secrets through /proc and whose
    processes no limit counts. By setpriv, not subprocess's `user=`: that one has to fork, 11 ms slower in a
    host of 400 MB, against half a millisecond for one more exec.
    """
    return [setpriv, f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--inh-caps=-all", "--"]


def unused_uid() -> int:
    """A uid, and gid, that no account has. Drawn at random, so jails of all processes seldom share one.

    Raises SandboxUnavailable where there is none but root's.
    """
    # In a container fewer ids may exist than on a machine.
    with open("/proc/self/uid_map") as uid_map:
        spans = [(int(first), int(count)) for first, _, count in (line.split() for line in uid_map)]
    first, count = max(spans, key=lambda span: span[1])
    if first + count >= 2_000_000:
        return random.randrange(1_000_000, 2_000_000)
    if count == 1:
        raise SandboxUnavailable(
            "The sandbox gives up root for a spare user id, and here only one id exists.",
            "Run as an unprivileged user, or map more ids into this user namespace.",
        )
    return random.randrange(first + count // 2, first + count)
