"""The protections that results and `adp doctor` name, and what each one means."""

from __future__ import annotations

from collections.abc import Collection

MEANING = {
    "user_namespace": "code is an unprivileged stranger on the host, never its root",
    "mount_namespace": "it sees a file system of its own, in which the host's files are not",
    "pid_namespace": "it can neither see nor signal the host's processes, and all of its own die together",
    "network_namespace": "it has no network but a loopback of its own",
    "ipc_namespace": "it has shared memory and queues of its own",
    "uts_namespace": "it has a host name of its own",
    "cgroup_namespace": "it sees no control groups of the host",
    "no_nested_user_namespaces": "it cannot make namespaces in which it would be root",
    "no_capabilities": "it has no right of root's, not even inside",
    "no_new_privileges": "no program it starts has more rights than it has",
    "seccomp": "dangerous system calls are denied",
    "landlock": "the kernel denies every file beyond what was given",
    "no_network": "it can make no connection of any kind",
    "no_signals_out": "it can signal no process of the host's",
    "read_only_system": "programs and libraries cannot be changed",
    "private_workspace": "its files are its own, and gone afterwards",
    "bounded_inodes": "the number of its files is limited",
    "clean_environment": "none of the host's environment, where secrets live",
    "resource_limits": "CPU, memory, processes, file size and open files are limited for each process",
    "ids_of_its_own": "no other process of the host has its user id",
    "memory_cgroup": "the kernel limits the memory of the whole process tree",
    "process_cgroup": "the kernel limits the processes of the whole tree",
    "cpu_quota": "it gets one CPU, not all of the host's",
}

NAMESPACES = (
    "user_namespace",
    "mount_namespace",
    "pid_namespace",
    "network_namespace",
    "ipc_namespace",
    "uts_namespace",
    "cgroup_namespace",
    "no_nested_user_namespaces",
)
HARDENING = (
    "no_capabilities",
    "no_new_privileges",
    "seccomp",
    "read_only_system",
    "private_workspace",
    "clean_environment",
    "resource_limits",
)
MINIMUM = frozenset((*NAMESPACES, *HARDENING))
"""What a slot must have unless the operator accepts less."""


def protections_named(names: Collection[str]) -> frozenset[str]:
    """The protections of these names; the usual minimum for none. Raises ValueError for an unknown name."""
    check_protections(names)
    return frozenset(names) or MINIMUM


def check_protections(names: Collection[str]) -> None:
    """Raises ValueError for the name of no protection."""
    unknown = set(names) - MEANING.keys()
    if unknown:
        raise ValueError(
            f"There is no protection {', '.join(sorted(unknown))}. They are: {', '.join(MEANING)}."
        )


COVERED = {
    "landlock": ("mount_namespace",),
    "no_network": ("network_namespace",),
    "no_signals_out": ("pid_namespace",),
    "mount_namespace": ("landlock",),
    "network_namespace": ("no_network",),
    "pid_namespace": ("no_signals_out",),
    "user_namespace": ("ids_of_its_own", "no_capabilities"),
}
"""What is not needed, or hardly, where all of these are: they stand for it."""


def covered_by(name: str, protections: Collection[str]) -> tuple[str, ...]:
    """Those of `protections` that stand for the one of this name, if any do."""
    others = COVERED.get(name, ())
    return others if others and set(others) <= set(protections) else ()


def why_not(backend: str, name: str) -> str:
    """Why a backend that works here is without a protection that no control group gives."""
    if name == "ids_of_its_own":
        return "only root can give a slot a user id of its own"
    if name == "bounded_inodes":
        return (
            "bwrap cannot bound the number of files"
            if backend == "bubblewrap"
            else "files are counted while the code runs, not bounded"
        )
    return f"the {backend} backend makes no namespaces: it is for hosts that allow none"
