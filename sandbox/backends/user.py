"""Users that jails run as on the host: ids that no account has."""

from __future__ import annotations

import random
from collections.abc import Iterable

from sandbox.errors import SandboxUnavailable

SPARE = range(1_000_000, 2_000_000)
CAPABILITIES = {
    "CAP_DAC_OVERRIDE": 1,
    "CAP_FOWNER": 3,
    "CAP_KILL": 5,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_SYS_ADMIN": 21,
}
"""The kernel's number of each that matters here."""


def spare_ids(count: int) -> int:
    """The first of `count` ids, for users and groups, that no account has.

    Drawn at random, so that slots of all processes seldom share one. Raises SandboxUnavailable where there
    are none but root's, and for a root without the rights to become them and to reach their files.
    """
    check_root_has("CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID")
    # In a container fewer ids may exist than on a machine.
    with open("/proc/self/uid_map") as uid_map:
        spans = [(int(first), int(count)) for first, _, count in (line.split() for line in uid_map)]
    first, size = max(spans, key=lambda span: span[1])
    if first + size >= SPARE.stop:
        return random.randrange(SPARE.start, SPARE.stop - count)
    if size <= count:
        raise SandboxUnavailable(
            "The sandbox gives up root for a spare user id, and here none exists.",
            "Run as an unprivileged user, or map more ids into this user namespace.",
        )
    return random.randrange(first + size // 2, first + size - count + 1)


def has_capability(name: str) -> bool:
    """Whether this process has a capability in effect."""
    return not _lacking((name,))


def check_root_has(*capabilities: str) -> None:
    """Raises SandboxUnavailable that names the lacking ones: root in a container may be without.

    Code must not be left to run as root for want of them: no limit counts its processes.
    """
    lacking = _lacking(capabilities)
    if lacking:
        raise SandboxUnavailable(
            f"Root runs code as a user that no account has, and this root is without {', '.join(lacking)}.",
            "Run as an unprivileged user, which takes no capability (in a container `--user 1000:1000`), "
            "or leave root these.",
        )


def _lacking(capabilities: Iterable[str]) -> list[str]:
    with open("/proc/self/status") as status:
        effective = int(next(line for line in status if line.startswith("CapEff:")).split()[1], 16)
    return [name for name in capabilities if not effective >> CAPABILITIES[name] & 1]
