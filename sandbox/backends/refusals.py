"""What helps where a host, or a container, refuses a jail; docs/sandbox-containers.md has the reasons."""

from __future__ import annotations

from sandbox.backends.base import SlotKind

LAYER_UNREADABLE = "Keep layers where every user may read them: a jail's user is a stranger to the host's."
PROC_COVERED = (
    "The kernel lets nobody show more of /proc inside than is seen outside, and a container's is partly "
    "covered: run that as an unprivileged user with `--security-opt systempaths=unconfined`."
)
NAMESPACES_OFF = (
    "Allow unprivileged user namespaces (user.max_user_namespaces above 0 and, on Ubuntu, "
    "kernel.apparmor_restrict_unprivileged_userns=0) on Linux 5.12 or newer; in a container, run it with "
    "`--security-opt seccomp=config/sandbox-seccomp.json` and, on a host with AppArmor, "
    "`--security-opt apparmor=unconfined`."
)


def way_out(words: str, kind: SlotKind) -> str:
    """What helps when no jail could be made and `words` were said."""
    if any(path in words for path, _ in kind.layers()):
        return LAYER_UNREADABLE
    if "mount proc on " in words:
        return PROC_COVERED
    return NAMESPACES_OFF
