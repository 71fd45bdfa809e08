"""Shared memory, queues and semaphores: the host's, and new ones that no limit of the jail counts."""

from __future__ import annotations

from tests.sandbox.abuse.probe import Probe

READ_SHARED = """
with attempt(): syscall("shmat", HOST.shm_id, None, 0o10000)
"""
READ_QUEUE = """
with attempt(): syscall("mq_open", SECRET.encode(), os.O_RDONLY, 0, None)
"""
NEW_QUEUE = """
with attempt():
    syscall("mq_open", b"abuse", os.O_CREAT | os.O_RDWR, 0o600, None)
    syscall("mq_unlink", b"abuse")
"""

PROBES = (
    Probe("shared memory of the host", "ipc namespace", READ_SHARED, "unprivileged"),
    Probe("a message queue of the host", "ipc namespace", READ_QUEUE, "unprivileged"),
    Probe(
        "shared memory beyond the limits",
        "seccomp",
        'with attempt(): syscall("shmget", 0, 1 << 20, 0o1600)',
        "unprivileged",
    ),
    Probe(
        "messages beyond the limits",
        "seccomp",
        'with attempt(): syscall("msgget", 0, 0o1600)',
        "unprivileged",
    ),
    Probe(
        "semaphores beyond the limits",
        "seccomp",
        'with attempt(): syscall("semget", 0, 1, 0o1600)',
        "unprivileged",
    ),
    Probe("a message queue beyond the limits", "seccomp", NEW_QUEUE, "unprivileged"),
)
