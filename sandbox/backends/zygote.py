"""The zygote backend: slots that build their own jail from namespaces and fork a runner for every run."""

from __future__ import annotations

import itertools
import os
import platform
import socket

from sandbox.backends.base import SlotKind, start_slot
from sandbox.backends.protections import HARDENING, NAMESPACES
from sandbox.backends.refusals import way_out
from sandbox.backends.system import DEVICES, ETC_FILES, system_folders
from sandbox.backends.user import has_capability, spare_ids
from sandbox.bootstrap import ZYGOTE, boot_command, boot_file
from sandbox.cgroups import Group, Parent
from sandbox.errors import SandboxUnavailable
from sandbox.inside.zygote import SHARED_MEMORY, Config
from sandbox.seccomp import INIT_CALLS, build_filter, build_runner_filter
from sandbox.slot import Slot, Traits


class Zygote:
    """Makes slots with the kernel's own calls, as root and as an unprivileged user alike."""

    name = "zygote"

    def __init__(self, groups: Parent | None = None) -> None:
        self._rooted = os.geteuid() == 0
        self._groups = groups
        self._names = itertools.count()

    async def start(self, kind: SlotKind) -> Slot:
        """See `Backend.start`."""
        # Were root itself to stand for the code's user, no limit would count its processes.
        first_id = spare_ids(2) if self._rooted else 0
        group = Group.create(self._groups, str(next(self._names))) if self._groups else None
        config = slot_config(kind, first_id, group.entrances() if group else [])
        traits = Traits(
            protections=(*NAMESPACES, *HARDENING, "bounded_inodes", *self._more()),
            file_owner=(first_id + 1, first_id + 1) if self._rooted else None,
            # Without ids of their own, the launcher and init have the runner's.
            own_processes=0 if self._rooted else 2,
            reusable=True,
            group=group,
        )
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            file = await boot_file(ZYGOTE, (theirs.fileno(), tuple(vars(config).values())))
        except BaseException:
            ours.close()
            theirs.close()
            if group is not None:
                await group.end()
            raise
        try:
            return await start_slot(
                boot_command(file),
                (file,),
                kind.environment(),
                (ours, theirs),
                traits,
                lambda words: _unavailable(words, kind),
            )
        finally:
            os.close(file)

    def _more(self) -> tuple[str, ...]:
        return ("ids_of_its_own",) * self._rooted + (self._groups.protections() if self._groups else ())


def slot_config(kind: SlotKind, first_id: int, entrances: list[str]) -> Config:
    """What the inside has to know. `first_id` is the host's for the slot's root, 0 where there is none."""
    machine = platform.machine()
    folders, links = system_folders()
    return Config(
        entrances=entrances,
        first_id=first_id,
        # Root in a container is seldom given this right.
        mounts_as_host=first_id != 0 and has_capability("CAP_SYS_ADMIN"),
        mounts=[(folder, folder) for folder in folders] + kind.layers(),
        links=[*links, ("/dev/shm", f"/tmp/{SHARED_MEMORY}"), ("/dev/fd", "/proc/self/fd")],
        files=list(ETC_FILES.items()),
        devices=list(DEVICES),
        tmp_mb=kind.tmp_mb,
        inodes=kind.inodes,
        home_links=kind.home_links(),
        listen_on=kind.proxy_port,
        modules=list(kind.profile.preload),
        paths=kind.packages(),
        warm_up=kind.profile.warm_up,
        after_fork=kind.profile.after_fork,
        init_filter=build_filter(machine, allowed=INIT_CALLS),
        runner_filter=build_runner_filter(machine),
    )


def _unavailable(words: str, kind: SlotKind) -> SandboxUnavailable:
    cause = words.splitlines()[-1]
    return SandboxUnavailable(f"No zygote slot can be made: {cause}.", way_out(words, kind))
