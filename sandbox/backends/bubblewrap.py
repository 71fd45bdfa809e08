"""The bubblewrap backend: slots whose jail bwrap builds, each for one run or one session."""

from __future__ import annotations

import itertools
import os
import platform

from sandbox.backends.base import SlotKind, control_pair, new_group, start_slot
from sandbox.backends.bubblewrap_command import jail_command
from sandbox.backends.programs import as_stranger, find_program, held, joining
from sandbox.backends.protections import HARDENING, NAMESPACES
from sandbox.backends.refusals import way_out
from sandbox.backends.system import ETC_FILES, package_folders
from sandbox.backends.user import spare_ids
from sandbox.bootstrap import READY_MADE, boot_command, boot_file
from sandbox.cgroups import Group, Parent
from sandbox.errors import SandboxUnavailable
from sandbox.inside.wire import memory_file
from sandbox.seccomp import build_filter
from sandbox.slot import Slot, Traits


class Bubblewrap:
    """Makes slots with bwrap, as root and as an unprivileged user alike.

    They start in the time of a few interpreters, as nothing is preloaded for a single run. The number of
    files in a workspace is not limited.
    """

    name = "bubblewrap"

    def __init__(self, groups: Parent) -> None:
        self._groups = groups
        self._names = itertools.count()

    async def start(self, kind: SlotKind) -> Slot:
        """See `Backend.start`."""
        bwrap = find_program("bwrap", "Install it, e.g. `apt-get install bubblewrap`.")
        # A jail made by root would be mapped to root, who may read the host's secrets through /proc, and
        # whose processes no limit counts.
        uid = spare_ids(1) if os.geteuid() == 0 else None
        drop_root = [] if uid is None else as_stranger(uid)
        system_calls = memory_file(build_filter(platform.machine()))
        etc = {path: memory_file(text.encode()) for path, text in ETC_FILES.items()}
        hidden = {folder: memory_file(kind.paths_file().encode()) for folder in package_folders()}
        files = (*etc.values(), *hidden.values())
        inside = (kind.proxy_port, kind.packages())
        with (
            held(system_calls, *files),
            control_pair() as control,
            held(await boot_file(READY_MADE, (control[1].fileno(), *inside))) as (boot,),
        ):
            jail = jail_command(bwrap, kind, system_calls, etc, hidden)
            async with new_group(self._groups, str(next(self._names))) as group:
                return await start_slot(
                    [*joining(group), *drop_root, *jail, *boot_command(boot)],
                    (system_calls, *files, boot),
                    {},
                    control,
                    self._traits(uid, group),
                    lambda words: _unavailable(words, kind),
                )

    def _traits(self, uid: int | None, group: Group) -> Traits:
        protections = (*NAMESPACES, *HARDENING, *self._groups.protections())
        return Traits(
            protections if uid is None else (*protections, "ids_of_its_own"),
            file_owner=None if uid is None else (uid, uid),
            # Init. bwrap itself is in another user namespace, where they are counted apart.
            own_processes=1,
            reusable=False,
            group=group,
        )


def _unavailable(words: str, kind: SlotKind) -> SandboxUnavailable:
    cause = words.splitlines()[-1]
    return SandboxUnavailable(
        f"No bubblewrap slot can be made: {cause}.",
        f"{way_out(words, kind)} It takes bubblewrap 0.8 or newer.",
    )
