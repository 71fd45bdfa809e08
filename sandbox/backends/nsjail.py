"""The nsjail backend: slots whose namespaces and mounts nsjail makes, and that live on as a zygote's do."""

from __future__ import annotations

import fcntl
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from sandbox.backends.base import SlotKind, control_pair, new_group, start_slot
from sandbox.backends.nsjail_command import etc_files, jail_command
from sandbox.backends.programs import as_stranger, find_program, held, joining
from sandbox.backends.protections import HARDENING, NAMESPACES
from sandbox.backends.refusals import way_out
from sandbox.backends.user import spare_ids
from sandbox.backends.zygote import slot_config
from sandbox.bootstrap import NSJAIL, boot_command, boot_file
from sandbox.cgroups import Group, Parent
from sandbox.errors import SandboxUnavailable
from sandbox.inside.wire import memory_file
from sandbox.inside.zygote import INIT_ID, RUNNER_ID
from sandbox.slot import Slot, Traits

LITTER = (
    "/tmp/nsjail.{uid}.{use}",
    "/dev/shm/nsjail.{uid}.{use}",
    "/run/user/nsjail.{uid}.{use}",
    "/run/user/{uid}/nsjail/{use}",
)
"""Where nsjail makes the empty folders on which it puts a jail's root together, and leaves them."""


class Nsjail:
    """Makes slots with nsjail, as root and as an unprivileged user alike."""

    name = "nsjail"

    def __init__(self, groups: Parent) -> None:
        self._groups = groups
        self._names = itertools.count()
        self._rooted = os.geteuid() == 0

    async def start(self, kind: SlotKind) -> Slot:
        """See `Backend.start`."""
        nsjail = find_program("nsjail", "Install it: https://github.com/google/nsjail.")
        setpriv = find_program("setpriv", "Install it, e.g. `apt-get install util-linux`.")
        # nsjail would outlive a host that was killed; init dies with nsjail.
        dying_with_us = [setpriv, "--pdeathsig=KILL", "--"]
        uid, ids, drop_root = self._user()
        config = slot_config(kind, uid, [])
        etc = memory_file(etc_files(config.files).encode())
        inside = tuple(vars(config).values())
        with (
            held(etc),
            control_pair() as control,
            held(await boot_file(NSJAIL, (control[1].fileno(), inside))) as (boot,),
            _without_litter(nsjail, uid),
        ):
            jail = jail_command(nsjail, config, etc, ids, kind.environment(), (control[1].fileno(), boot))
            async with new_group(self._groups, str(next(self._names))) as group:
                return await start_slot(
                    [*joining(group), *drop_root, *dying_with_us, *jail, *boot_command(boot)],
                    (etc, boot),
                    {},
                    control,
                    self._traits(uid, group),
                    lambda words: _unavailable(words, kind),
                )

    def _user(self) -> tuple[int, list[tuple[int, int, int]], list[str]]:
        """Who nsjail is on the host, the ids to be mapped, and the start of a command that becomes it."""
        if not self._rooted:
            # Only the own id can be mapped: init and runners share it, so the rest keeps them apart.
            return os.geteuid(), [(RUNNER_ID, os.geteuid(), os.getegid())], []
        uid = spare_ids(2)
        # To map two ids takes these two of root's rights, and nothing else here takes any.
        drop_root = as_stranger(uid, ("setuid", "setgid"))
        return uid, [(INIT_ID, uid, uid), (RUNNER_ID, uid + 1, uid + 1)], drop_root

    def _traits(self, uid: int, group: Group) -> Traits:
        protections = (*NAMESPACES, *HARDENING, "bounded_inodes", *self._groups.protections())
        return Traits(
            (*protections, "ids_of_its_own") if self._rooted else protections,
            file_owner=(uid + 1, uid + 1) if self._rooted else None,
            # Without an id of its own init has the runner's. nsjail is in another user namespace, where
            # processes are counted apart.
            own_processes=0 if self._rooted else 1,
            reusable=True,
            group=group,
        )


@contextmanager
def _without_litter(nsjail: str, uid: int) -> Iterator[None]:
    """Remove the folders that an nsjail of `uid` leaves behind, unless another is about to use them."""
    with open(nsjail, "rb") as lock:
        _lock(lock, fcntl.LOCK_SH)
        try:
            yield
        finally:
            # Root draws a uid for each jail. Anyone else who starts one holds the lock, and will remove them.
            if uid != os.geteuid() or _lock(lock, fcntl.LOCK_EX):
                for place, use in itertools.product(LITTER, ("root", "tmp")):
                    with suppress(OSError):
                        os.rmdir(place.format(uid=uid, use=use))


def _lock(file: BinaryIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unavailable(words: str, kind: SlotKind) -> SandboxUnavailable:
    # What nsjail logged, without time and place; else the last line of what it started.
    logged = re.findall(r"^\[[A-Z]\]\S* \S+ (.*)", words, re.MULTILINE)
    cause = "; ".join(logged) or words.splitlines()[-1]
    return SandboxUnavailable(f"No nsjail slot can be made: {cause}.", way_out(words, kind))
