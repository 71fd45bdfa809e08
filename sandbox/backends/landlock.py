"""The landlock backend: slots for hosts that have no namespaces for us, each for one run or one session."""

from __future__ import annotations

import glob
import itertools
import os
import platform
import secrets
import tempfile

from sandbox.backends.base import SlotKind, control_pair, new_group, start_slot
from sandbox.backends.landlock_filter import build_lone_filter
from sandbox.backends.programs import as_stranger, held, joining
from sandbox.backends.protections import HARDENING
from sandbox.backends.system import system_folders
from sandbox.backends.user import spare_ids
from sandbox.bootstrap import WALLED, boot_command, boot_file
from sandbox.cgroups import Group, Parent
from sandbox.errors import SandboxUnavailable
from sandbox.inside import landlock
from sandbox.inside.walled import Config
from sandbox.inside.wire import WORKSPACE
from sandbox.seccomp import build_filter
from sandbox.slot import Slot, Traits

OLDEST_ABI = 6
"""Older ones let the code signal every process of its user, of which init is one."""
WRITABLE_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
READABLE_DEVICES = ("/dev/random", "/dev/urandom")
SPARE_PROCESSES = 256
"""How many the host's user may start beside the code before the code can start none."""


class Landlock:
    """Makes slots that are denied the host rather than given a world of their own, as root and as any user.

    The last resort, with fewer protections than any other backend. Programs find no /proc, no network at all,
    and no /dev/shm (so of `multiprocessing` only processes and pipes). Their home and temporary folder is one
    of the host's, not /tmp; its size is looked at while they run, not enforced. Without root they have the
    user id of the host: they may then change no file's mode, owner or times, and their number too is only
    looked at.
    """

    name = "landlock"

    def __init__(self, groups: Parent) -> None:
        self._groups = groups
        self._names = itertools.count()

    async def start(self, kind: SlotKind) -> Slot:
        """See `Backend.start`."""
        check_host_has_it()
        if kind.reaches_hosts:
            raise SandboxUnavailable(
                "The landlock backend can grant no hosts: its slots have no network of their own.",
                "Run without hosts=, or where namespaces can be made (see `adp doctor`).",
            )
        uid = spare_ids(1) if os.geteuid() == 0 else None
        workspace = f"{tempfile.gettempdir()}/sandbox-{secrets.token_hex(8)}"
        drop_root = [] if uid is None else as_stranger(uid)
        config = _config(kind, workspace, shares_user=uid is None)
        inside = tuple(vars(config).values())
        with (
            control_pair() as control,
            held(await boot_file(WALLED, (control[1].fileno(), inside))) as (boot,),
        ):
            async with new_group(self._groups, str(next(self._names))) as group:
                return await start_slot(
                    [*joining(group), *drop_root, *boot_command(boot)],
                    (boot,),
                    _environment(kind, workspace),
                    control,
                    self._traits(uid, group),
                    _unavailable,
                )

    def _traits(self, uid: int | None, group: Group) -> Traits:
        protections = (
            *HARDENING,
            *("landlock", "no_network", "no_signals_out", "no_nested_user_namespaces"),
            *self._groups.protections(),
        )
        return Traits(
            protections if uid is None else (*protections, "ids_of_its_own"),
            file_owner=None if uid is None else (uid, uid),
            # Launcher and init; without root also whatever the user runs.
            own_processes=2 if uid is not None else _threads_of(os.geteuid()) + SPARE_PROCESSES,
            reusable=False,
            group=group,
        )


def check_host_has_it() -> None:
    """Raises SandboxUnavailable without /proc, or a Landlock that denies all it has to."""
    if not os.path.exists("/proc/self/stat"):
        raise SandboxUnavailable(
            "There is no /proc, by which the landlock backend finds the processes it has to end.", "Mount it."
        )
    abi = landlock.abi()
    if abi < OLDEST_ABI:
        raise SandboxUnavailable(
            f"This kernel's Landlock has version {abi}, and the sandbox needs {OLDEST_ABI}."
            if abi
            else "This kernel has no Landlock, or does not let it be used.",
            "Use Linux 6.12 or newer with landlock among the modules of its lsm= option; in a container, run "
            "it with a seccomp profile that lets the landlock_* calls pass.",
        )


def _config(kind: SlotKind, workspace: str, *, shares_user: bool) -> Config:
    machine = platform.machine()
    folders, _ = system_folders()
    layers = kind.profile.layers
    return Config(
        workspace=workspace,
        # On Debian modules of python's start are links to there; it would warn of what it cannot read.
        readable=[
            *folders,
            *glob.glob("/etc/python3*"),
            *READABLE_DEVICES,
            *(str(layer.path) for layer in layers),
        ],
        devices=list(WRITABLE_DEVICES),
        paths=_packages(kind),
        home_links=[(str(name), str(file)) for layer in layers for name, file in layer.links()],
        tmp_mb=kind.tmp_mb,
        inodes=kind.inodes,
        shares_user=shares_user,
        filters=[build_filter(machine), build_lone_filter(machine, shares_user)],
    )


def _environment(kind: SlotKind, workspace: str) -> dict[str, str]:
    """The environment of `kind`, with layers where the host has them, and this workspace."""
    environment = {
        name: workspace + value.removeprefix(WORKSPACE) if f"{value}/".startswith(f"{WORKSPACE}/") else value
        for name, value in kind.environment().items()
    }
    if kind.profile.layers:
        environment["PYTHONPATH"] = ":".join(_packages(kind))
    return environment


def _packages(kind: SlotKind) -> list[str]:
    return [str(layer.packages) for layer in kind.profile.layers]


def _threads_of(uid: int) -> int:
    """How many threads of all the machine's processes count against this user's limit."""
    count = 0
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return count


def _unavailable(words: str) -> SandboxUnavailable:
    return SandboxUnavailable(
        f"No landlock slot can be made: {words.splitlines()[-1]}.",
        "Let any user make files in the folder for temporary files, and read /proc and the layers.",
    )
