"""The zygote backend: slots that build their own jail from namespaces and fork a runner for every run."""

from __future__ import annotations

import itertools
import os
import platform

from sandbox.backends.base import SlotKind, control_pair, new_group, start_slot
from sandbox.backends.programs import held
from sandbox.backends.protections import HARDENING, NAMESPACES
from sandbox.backends.refusals import way_out
from sandbox.backends.system import DEVICES, ETC_FILES, PATHS_FILE, package_folders, system_folders
from sandbox.backends.user import has_capability, spare_ids
from sandbox.bootstrap import ZYGOTE, boot_command, boot_file
from sandbox.cgroups import Group, Parent
from sandbox.errors import SandboxUnavailable
from sandbox.inside.wire import SHARED_MEMORY_FOLDER, WORKSPACE
from sandbox.inside.zygote import Config
from sandbox.seccomp import INIT_CALLS, build_filter, build_runner_filter
from sandbox.slot import Slot, Traits


class Zygote:
    """Makes slots with the kernel's own calls, as root and as an unprivileged user alike."""

    name = "zygote"

    def __init__(self, groups: Parent) -> None:
        self._rooted = os.geteuid() == 0
        self._groups = groups
        self._names = itertools.count()

    async def start(self, kind: SlotKind) -> Slot:
        """See `Backend.start`."""
        # Were root itself to stand for the code's user, no limit would count its processes.
        first_id = spare_ids(2) if self._rooted else 0
        async with new_group(self._groups, str(next(self._names))) as group:
            config = slot_config(kind, first_id, group.entrances())
            inside = tuple(vars(config).values())
            with (
                control_pair() as control,
                held(await boot_file(ZYGOTE, (control[1].fileno(), inside))) as (boot,),
            ):
                return await start_slot(
                    boot_command(boot),
                    (boot,),
                    kind.environment(),
                    control,
                    self._traits(first_id, group),
                    lambda words: _unavailable(words, kind),
                )

    def _traits(self, first_id: int, group: Group) -> Traits:
        protections = (*NAMESPACES, *HARDENING, "bounded_inodes", *self._groups.protections())
        return Traits(
            (*protections, "ids_of_its_own") if self._rooted else protections,
            file_owner=(first_id + 1, first_id + 1) if self._rooted else None,
            # Without ids of their own, the launcher and init have the runner's.
            own_processes=0 if self._rooted else 2,
            reusable=True,
            group=group,
        )


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
        links=[*links, ("/dev/shm", f"{WORKSPACE}/{SHARED_MEMORY_FOLDER}"), ("/dev/fd", "/proc/self/fd")],
        files=list(ETC_FILES.items()),
        hidden=[(folder, PATHS_FILE, kind.paths_file()) for folder in package_folders()],
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
