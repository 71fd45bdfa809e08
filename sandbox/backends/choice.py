"""Which backend this host gets: the first, from the strongest down, whose slot proves its walls."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Set
from dataclasses import dataclass

from sandbox.backends.base import Backend, SlotKind
from sandbox.backends.bubblewrap import Bubblewrap
from sandbox.backends.landlock import Landlock
from sandbox.backends.nsjail import Nsjail
from sandbox.backends.zygote import Zygote
from sandbox.cgroups import Parent, find_parent
from sandbox.contracts import Limits
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.profiles import PLAIN
from sandbox.runs import Program, perform
from sandbox.slot import SlotLost

_log = logging.getLogger(__name__)

# Runs where `claimed` names the protections, and fails with those of them that do not hold.
CANARY = """
import ctypes, os, resource, socket, subprocess, sys
libc = ctypes.CDLL(None)
def refused(act, *arguments):
    try: act(*arguments)
    except OSError: return True
def make_and_remove(folder):
    os.mkdir(folder + "/canary")
    os.rmdir(folder + "/canary")
def stands(wall):
    try: return wall()
    except OSError: return False
def capabilities():
    sets = (ctypes.c_uint32 * 6)()
    libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), sets)
    return list(sets)
walls = {
    # Without a namespace of its own a user cannot empty the bounding set; then no-new-privileges has to do.
    "user_namespace": lambda: os.getuid() != 0 and 1 not in {libc.prctl(23, n, 0, 0, 0) for n in range(64)},
    "mount_namespace": lambda: not os.path.exists("/etc/shadow") and not os.path.exists("/root"),
    "pid_namespace": lambda: sum(name.isdigit() for name in os.listdir("/proc")) < 10,
    "network_namespace": lambda: len(open("/proc/net/dev").readlines()) <= 3,
    "uts_namespace": lambda: os.uname().nodename == "sandbox",
    "no_nested_user_namespaces": lambda: libc.unshare(0x10000000) == -1,
    "no_capabilities": lambda: capabilities() == [0] * 6,
    "no_new_privileges": lambda: libc.prctl(39, 0, 0, 0, 0) == 1,
    "seccomp": lambda: libc.prctl(21, 0, 0, 0, 0) == 2,
    "landlock": lambda: refused(os.listdir, "/"),
    "no_network": lambda: refused(socket.socket),
    "no_signals_out": lambda: refused(os.kill, os.getppid(), 0),
    "read_only_system": lambda: all(refused(make_and_remove, path) for path in ("", "/usr", "/dev", "/etc")),
    "private_workspace": lambda: os.stat(".").st_mode & 0o77 == 0 and os.access(".", os.W_OK),
    "clean_environment": lambda: len(os.environ) < 25,
    "resource_limits": lambda: resource.getrlimit(resource.RLIMIT_NPROC)[1] != resource.RLIM_INFINITY,
}
fallen = [name for name in walls if name in claimed and not stands(walls[name])]
if os.getuid() == 0: fallen.append("it runs as root")
if subprocess.run(["/bin/true"]).returncode: fallen.append("no program can be started")
sys.exit(", ".join(fallen) or 0)
"""


@dataclass(frozen=True)
class Examined:
    """What came of trying a backend: the protections its slot has, or a problem, its cause and the remedy."""

    name: str
    backend: Backend | None
    protections: tuple[str, ...] = ()
    problem: str = ""
    cause: str = ""
    remedy: str = ""


async def examine(backend: Backend) -> Examined:
    """Make a slot, and run code in it that looks for every wall."""
    try:
        slot = await backend.start(SlotKind(PLAIN, Limits().tmp_mb, Limits().inodes, reaches_hosts=False))
    except SandboxError as error:
        return Examined(backend.name, None, problem=str(error), cause=error.message, remedy=error.remedy)
    try:
        program = Program.of(f"claimed = {slot.protections}\n{CANARY}", None, None)
        workspace = (await slot.runner()).workspace
        try:
            report = await perform(slot, program, Limits(), slot.own_processes)
        finally:
            workspace.close()
    except SlotLost as error:
        return Examined(backend.name, None, problem=str(error))
    finally:
        await slot.kill()
    result = report.result(Limits(), slot.protections)
    if not result.ok:
        problem = f"A slot was made, but its walls do not stand: {result.status}, {result.stderr.strip()}."
        return Examined(backend.name, None, problem=problem)
    return Examined(backend.name, backend, slot.protections)


BACKENDS: dict[str, Callable[[Parent], Backend]] = {
    "zygote": Zygote,
    "nsjail": Nsjail,
    "bubblewrap": Bubblewrap,
    "landlock": Landlock,
}
"""Every way to make slots, the strongest first; a slot's control group is made below the given parent."""


def check_name(name: object) -> None:
    """Raises ValueError for what is neither `auto` nor a backend's name."""
    if name not in ("auto", *BACKENDS):
        raise ValueError(f"There is no sandbox backend {name!r}. Use auto or one of {', '.join(BACKENDS)}.")


async def examine_all(cgroup: str | None = None) -> tuple[list[Examined], Parent]:
    """What came of trying each backend, and where control groups can be made."""
    groups = await asyncio.to_thread(find_parent, cgroup)
    return [await examine(make(groups)) for make in BACKENDS.values()], groups


async def choose(name: str, minimum: Set[str], cgroup: str | None = None) -> Backend:
    """The backend of a name, or for `auto` the first, that works here and has the protections of `minimum`.

    `cgroup` is the folder below which control groups are made, None for wherever this process may. Raises
    SandboxUnavailable that says what each one lacks.
    """
    if not os.path.exists("/proc/self/status"):  # noqa: ASYNC240 - no disk is asked
        raise SandboxUnavailable("There is no /proc here.", "Mount it: `mount -t proc proc /proc`.")
    groups = await asyncio.to_thread(find_parent, cgroup)
    problems: list[str] = []
    for make in BACKENDS.values() if name == "auto" else [BACKENDS[name]]:
        found = await examine(make(groups))
        if found.problem:
            # A busy host may fail once; to fall back to a weaker one takes more than that.
            found = await examine(make(groups))
        lacking = minimum - set(found.protections)
        if found.backend is not None and not lacking:
            if problems:
                _log.warning("the sandbox falls back to %s: %s", found.name, " ".join(problems))
            return found.backend
        problems.append(
            f"{found.name}: {found.problem or 'it is without ' + ', '.join(sorted(lacking)) + '.'}"
        )
    raise SandboxUnavailable(
        f"No sandbox that is strong enough can be had here. {' '.join(problems)}",
        "`adp doctor` shows what would raise it; SANDBOX_MINIMUM accepts less.",
    )
