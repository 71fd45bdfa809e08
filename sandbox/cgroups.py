"""Control groups, v1 and v2: where this host lets them be made, and the group of one slot.

A group bounds what a slot uses as a whole, however it forks. Knows nothing of jails or of what runs in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError, SandboxUnavailable

PROTECTIONS = {"memory": "memory_cgroup", "pids": "process_cgroup", "cpu": "cpu_quota"}
"""What the limit of each controller protects, by the name that results carry."""

CPU_PERIOD_US = 100_000
"""A quota of CPU time is given for each such period; the kernel's own default."""


@dataclass(frozen=True)
class Interface:
    """The names of files in a group. `controllers` names one for each, there only if the controller works."""

    controllers: Mapping[str, str]
    memory_limit: str
    memory_used: str
    memory_peak: str
    memory_events: str


# As the kernel's Documentation/admin-guide/cgroup-v1/*.rst and cgroup-v2.rst describe them.
INTERFACES = {
    1: Interface(
        {
            "memory": "memory.limit_in_bytes",
            "pids": "pids.max",
            "cpu": "cpu.cfs_quota_us",
            "cpuacct": "cpuacct.usage",
        },
        memory_limit="memory.limit_in_bytes",
        memory_used="memory.usage_in_bytes",
        memory_peak="memory.max_usage_in_bytes",
        memory_events="memory.oom_control",
    ),
    2: Interface(
        {"memory": "memory.max", "pids": "pids.max", "cpu": "cpu.max"},
        memory_limit="memory.max",
        memory_used="memory.current",
        memory_peak="memory.peak",
        memory_events="memory.events",
    ),
}

NO_PERMISSION = (
    "this user may not make groups there. Run as root, or under `systemd-run --user --pipe -p Delegate=yes"
    " -p DelegateSubgroup=main`, or give a folder that belongs to this user as SandboxPool(cgroup=...),"
    " which is the setting SANDBOX_CGROUP."
)
WAYS_OUT = {
    errno.EBUSY: (
        "there are processes in it, and v2 passes no controller on from such a group. Start the program in a"
        " group below: under systemd with Delegate=yes and DelegateSubgroup=main; in a container by an entry"
        " point that does `mkdir /sys/fs/cgroup/main && echo $$ > /sys/fs/cgroup/main/cgroup.procs` first."
    ),
    errno.EROFS: "it is mounted read-only. Mount the control groups read-write.",
    errno.ENOENT: "there is no such group. Make it, or give another as SandboxPool(cgroup=...),"
    " which is the setting SANDBOX_CGROUP.",
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,
}
NOT_PASSED_ON = "it is not in its cgroup.controllers. Write it with a + to cgroup.subtree_control above."
NOT_MOUNTED = (
    "no hierarchy of control groups with it is mounted. Mount /sys/fs/cgroup, or boot the kernel with it on."
)
NO_FILE = "the kernel offers no limit. Boot one that is built with it."


@dataclass(frozen=True)
class Parent:
    """Where the groups of slots are made on this host; nowhere if `folders` is empty.

    `version` is that of the kernel's interface. `folders` has the folder to make groups in, for each
    controller that can be had; `missing` the reason and the way out, for each protection that cannot.
    `prefix` begins the name of each group, so that a later host can tell whether this one still lives.
    """

    version: int
    folders: Mapping[str, Path]
    missing: Mapping[str, str]
    prefix: str

    def protections(self) -> tuple[str, ...]:
        """What a group made here can protect."""
        return tuple(name for controller, name in PROTECTIONS.items() if controller in self.folders)


class Group:
    """The control group of one slot: a folder in every hierarchy that the parent has, perhaps in none.

    Sizes are in MB of 2**20 bytes. A limit whose controller cannot be had is passed over, and not among the
    `protections`. Every method raises SandboxError for what the kernel refuses.
    """

    def __init__(self, version: int, folders: Mapping[str, Path]) -> None:
        self._version = version
        self._names = INTERFACES[version]
        self._at = dict(folders)
        self._folders = list(dict.fromkeys(folders.values()))
        self._limited: set[str] = set()
        self._peak: int | None = None

    @classmethod
    def create(cls, parent: Parent, name: str) -> Group:
        """A new group without limits. `name` is unique among the groups of this parent."""
        group = cls(
            parent.version,
            {controller: folder / (parent.prefix + name) for controller, folder in parent.folders.items()},
        )
        made: list[Path] = []
        try:
            for folder in group._folders:
                folder.mkdir()
                made.append(folder)
        except OSError as error:
            _remove_soon(made)
            raise SandboxError(f"Control group {folder} cannot be made: {error.strerror}.") from error
        return group

    def protections(self) -> tuple[str, ...]:
        """The protections whose limit has been set here."""
        return tuple(name for controller, name in PROTECTIONS.items() if controller in self._limited)

    def add(self, pid: int) -> None:
        """Move a process in. What it forks is born inside; memory that it holds already stays outside."""
        for folder in self._folders:
            _write(folder / "cgroup.procs", str(pid))

    def entrances(self) -> list[str]:
        """The files that a process writes 0 to in order to move in itself, as `add` does from outside."""
        return [str(folder / "cgroup.procs") for folder in self._folders]

    def pids(self) -> list[int]:
        """The processes inside, zombies left out, as this process's pid namespace numbers them."""
        return _pids(self._folders[0]) if self._folders else []

    def set_memory(self, mb: int) -> None:
        """Bound the memory inside: of processes, of the kernel for them, page cache, tmpfs. No swap then.

        Where no more can be had, the largest process is killed. SandboxError if it is less than `memory_mb`.
        """
        if "memory" not in self._at:
            return
        used = self.memory_mb()
        if used > mb:
            # v2 would take the limit, and kill for it at once.
            raise SandboxError(
                f"A memory limit of {mb} MB is less than the {used:.0f} MB that the slot holds already.",
                "Give a higher one.",
            )
        size = str(mb << 20)
        limit = (self._at["memory"] / self._names.memory_limit, size)
        if self._version == 2:
            writes = [limit, (self._at["memory"] / "memory.swap.max", "0")]
        else:
            # v1 bounds memory and swap together, at no moment lower than memory alone.
            writes = [limit, (self._at["memory"] / "memory.memsw.limit_in_bytes", size)]
            if int(size) > int(_read(limit[0])):
                writes.reverse()
        for file, value in writes:
            if file.exists():  # that for swap is not, where the kernel does not account for it
                _write(file, value)
        self._limited.add("memory")

    def set_processes(self, count: int) -> None:
        """Bound the processes and threads inside. Starting one more fails with EAGAIN."""
        if "pids" in self._at:
            _write(self._at["pids"] / "pids.max", str(count))
            self._limited.add("pids")

    def set_cpus(self, count: float) -> None:
        """Bound the CPU time inside to that of `count` CPUs. Who has used it up waits for the next period."""
        if "cpu" not in self._at:
            return
        quota = round(count * CPU_PERIOD_US)
        if self._version == 2:
            _write(self._at["cpu"] / "cpu.max", f"{quota} {CPU_PERIOD_US}")
        else:
            try:
                _write(self._at["cpu"] / "cpu.cfs_quota_us", str(quota))
            except SandboxError as error:
                # v1 takes no quota above one that holds already for a group further up, and here as well.
                if not (isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EINVAL):
                    raise
        self._limited.add("cpu")

    def free_cpus(self) -> None:
        """Take the bound of `set_cpus` away again."""
        if "cpu" in self._limited:
            name, value = ("cpu.max", "max") if self._version == 2 else ("cpu.cfs_quota_us", "-1")
            _write(self._at["cpu"] / name, value)
            self._limited.remove("cpu")

    def oom_kills(self) -> int:
        """How many processes inside were killed for want of memory so far."""
        return _key(self._at["memory"] / self._names.memory_events, "oom_kill") if "memory" in self._at else 0

    def refused_forks(self) -> int:
        """How often a process or thread was refused for the limit so far."""
        return _key(self._at["pids"] / "pids.events", "max") if "pids" in self._at else 0

    def memory_mb(self) -> float:
        """The memory in use inside, without page cache, which gives way. 0 if it is not counted."""
        if "memory" not in self._at:
            return 0
        statistics = self._at["memory"] / "memory.stat"
        cache = _key(statistics, "active_file") + _key(statistics, "inactive_file")
        return max(0, int(_read(self._at["memory"] / self._names.memory_used)) - cache) / 2**20

    def reset_peak(self) -> bool:
        """Let `peak_memory_mb` begin anew. False if the kernel cannot (v2 before 6.12)."""
        if "memory" not in self._at:
            return False
        try:
            if self._peak is None:
                # v2 keeps a peak for each open file: the one that reset it has to read it.
                self._peak = os.open(self._at["memory"] / self._names.memory_peak, os.O_RDWR | os.O_CLOEXEC)
            os.pwrite(self._peak, b"0", 0)
        except OSError:
            self._close_peak()
            return False
        return True

    def peak_memory_mb(self) -> float | None:
        """The most memory in use at once, page cache too: since `reset_peak`, or ever if that gave False.

        None if it is not known (no memory controller, v2 before 5.19).
        """
        peak = self._at["memory"] / self._names.memory_peak if "memory" in self._at else None
        if peak is None or not peak.exists():
            return None
        return int(_read(peak) if self._peak is None else os.pread(self._peak, 32, 0)) / 2**20

    def cpu_seconds(self) -> float | None:
        """The CPU time, user and system, of all that ever ran inside. None if it is not counted."""
        if self._version == 2 and self._folders:
            return _key(self._folders[0] / "cpu.stat", "usage_usec") / 1e6
        return int(_read(self._at["cpuacct"] / "cpuacct.usage")) / 1e9 if "cpuacct" in self._at else None

    def kill(self) -> None:
        """Kill everything inside, without waiting for its end. The group is good only to be removed then."""
        if "pids" in self._at and self._at["pids"].exists():
            # Else what forks fast could escape being killed one by one, as v1 must do it.
            _write(self._at["pids"] / "pids.max", "0")
        for folder in [folder for folder in self._folders if folder.exists()][:1]:
            _kill(folder)

    def remove(self) -> bool:
        """Remove the group. False while a process is inside: call again when it has ended. Safe to repeat."""
        self._close_peak()
        left = [folder for folder in self._folders if not _remove(folder)]
        return not left

    async def end(self, timeout: float = 5) -> bool:
        """Kill everything inside and remove the group. False if it could not be in `timeout` seconds."""
        self.kill()
        deadline = time.monotonic() + timeout
        while not self.remove():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.002)
        return True

    def _close_peak(self) -> None:
        if self._peak is not None:
            os.close(self._peak)
            self._peak = None


def find_parent(folder: str | None = None) -> Parent:
    """Where this process can make groups: tried in each hierarchy, by moving a process into a new group.

    `folder` names a group to make them in (for v1 it stands for the same path in every hierarchy). Else that
    is this process's own group, for v2 perhaps the one above it, or the root. Blocks for some milliseconds,
    so call it once. Sweeps away what dead hosts left. SandboxUnavailable if `folder` is given and no use.
    """
    hierarchies = _hierarchies()
    if folder is not None and not any(_is_beneath(folder, hierarchy) for hierarchy in hierarchies):
        raise SandboxUnavailable(
            f"The folder {folder} is no control group.",
            "Give one beneath a mounted hierarchy, such as /sys/fs/cgroup/NAME.",
        )
    _sweep(hierarchies)
    # A controller belongs to one version at a time. Where a host mixes them, the one with memory is chosen.
    parent = max((_try_version(version, hierarchies, folder) for version in (1, 2)), key=_worth)
    if folder is not None and not parent.folders:
        raise SandboxUnavailable(
            f"No control group can be made in {folder}.", " ".join(parent.missing.values())
        )
    return parent


def _worth(parent: Parent) -> tuple[int, ...]:
    """Of two with nothing to offer, the one is better that can tell more than that it is not mounted."""
    told = sum(NOT_MOUNTED not in reason for reason in parent.missing.values())
    return "memory" in parent.folders, len(parent.folders), told


@dataclass(frozen=True)
class _Hierarchy:
    """A mounted tree of groups. `own` is this process's group, or the root where that is out of sight."""

    version: int
    controllers: tuple[str, ...]
    root: Path
    own: Path


def _hierarchies() -> list[_Hierarchy]:
    try:
        own_groups = _own_groups(Path("/proc/self/cgroup").read_text())
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return []
    found: dict[tuple[object, ...], _Hierarchy] = {}
    for mount in mounts:
        # See proc(5): "36 35 98:0 /root /mount/point rw - type source rw,options".
        place, _, filesystem = mount.partition(" - ")
        kind, _, options = filesystem.split(" ", 2)
        group_at_root, root = (_unescaped(field) for field in place.split(" ")[3:5])
        if kind == "cgroup2":
            version, controllers, own_group = 2, tuple(INTERFACES[2].controllers), own_groups.get("", "/")
        elif kind == "cgroup" and any(name in options.split(",") for name in INTERFACES[1].controllers):
            controllers = tuple(name for name in INTERFACES[1].controllers if name in options.split(","))
            version, own_group = 1, own_groups.get(controllers[0], "/")
        else:
            continue
        # Above the root lies what a container does not see of its host.
        below = os.path.relpath(own_group, group_at_root)
        own = Path(root) if below.startswith("..") else Path(root, below)
        found.setdefault((version, *controllers), _Hierarchy(version, controllers, Path(root), own))
    return list(found.values())


def _own_groups(text: str) -> dict[str, str]:
    """The group of this process for each v1 controller; for v2, whose line names none, under ''."""
    groups = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _unescaped(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)


def _candidates(hierarchy: _Hierarchy, hierarchies: list[_Hierarchy], folder: str | None) -> list[Path]:
    """The groups to try as a parent, the nearest first."""
    if folder is None:
        # Where a v2 group was delegated, its processes live one below it (systemd's DelegateSubgroup=).
        above = [hierarchy.own.parent] if hierarchy.version == 2 and hierarchy.own != hierarchy.root else []
        return list(dict.fromkeys([hierarchy.own, *above, hierarchy.root]))
    for named in hierarchies:
        if named.version == hierarchy.version and _is_beneath(folder, named):
            return [hierarchy.root / os.path.relpath(folder, named.root)]
    return []


def _is_beneath(folder: str, hierarchy: _Hierarchy) -> bool:
    return Path(os.path.abspath(folder)).is_relative_to(hierarchy.root)


def _try_version(version: int, hierarchies: list[_Hierarchy], folder: str | None) -> Parent:
    """For each hierarchy of the version the nearest candidate in which most controllers work."""
    folders: dict[str, Path] = {}
    reasons: dict[str, str] = {}
    for hierarchy in (hierarchy for hierarchy in hierarchies if hierarchy.version == version):
        working: dict[str, Path] = {}
        for candidate in _candidates(hierarchy, hierarchies, folder):
            refused = _try(version, candidate, hierarchy.controllers)
            reasons = refused | reasons
            here = {name: candidate for name in hierarchy.controllers if name not in refused}
            working = max(working, here, key=len)
            if not refused:
                break
        folders |= working
    missing = {
        name: f"{controller}: {reasons.get(controller, NOT_MOUNTED)}"
        for controller, name in PROTECTIONS.items()
        if controller not in folders
    }
    return Parent(version, folders, missing, f"{_host_name()}{os.urandom(3).hex()}-" if folders else "")


def _try(version: int, folder: Path, controllers: Iterable[str]) -> dict[str, str]:
    """Make a group in `folder` and move a process into it: for each controller that does not work, why."""
    trial = folder / f"{_host_name()}{os.urandom(3).hex()}-trial"
    try:
        trial.mkdir()
    except OSError as error:
        return dict.fromkeys(controllers, _explain(folder, error))
    try:
        refused = _pass_on(folder, controllers) if version == 2 else {}
        for controller in set(controllers) - set(refused):
            if not (trial / INTERFACES[version].controllers[controller]).exists():
                refused[controller] = f"{folder}: {NO_FILE}"
        if set(controllers) - set(refused):
            _move_a_process_into(trial)
    except OSError as error:
        return dict.fromkeys(controllers, _explain(folder, error))
    finally:
        _remove_soon([trial])
    return refused


def _pass_on(folder: Path, controllers: Iterable[str]) -> dict[str, str]:
    """Give the groups in a v2 folder the controllers: for each that they cannot get, why."""
    at_hand = (folder / "cgroup.controllers").read_text().split()
    passed_on = (folder / "cgroup.subtree_control").read_text().split()
    refused = {}
    for controller in controllers:
        if controller not in at_hand:
            refused[controller] = f"{folder}: {NOT_PASSED_ON}"
        elif controller not in passed_on:
            try:
                # One by one: where one of several is refused, none is passed on.
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")
            except OSError as error:
                refused[controller] = _explain(folder, error)
    return refused


def _move_a_process_into(group: Path) -> None:
    with subprocess.Popen(["/bin/sh", "-c", "read _"], stdin=subprocess.PIPE, env={}) as process:
        (group / "cgroup.procs").write_text(str(process.pid))


def _explain(folder: Path, error: OSError) -> str:
    return f"{folder}: {WAYS_OUT.get(error.errno or 0, f'{error.strerror}.')}"


def _host_name() -> str:
    """Begins the name of every group of this process. Only in its pid namespace can its end be told."""
    pid = os.getpid()
    return f"sandbox-{os.stat('/proc/self/ns/pid').st_ino}-{pid}-{_start_time(pid)}-"


def _start_time(pid: int) -> int:
    """In clock ticks since the machine started: tells a process from a later one of the same number."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def _sweep(hierarchies: list[_Hierarchy]) -> None:
    """Remove the groups of hosts that have died, and end what lives on in them."""
    stale = [
        Path(path)
        for hierarchy in hierarchies
        for path, _, _ in os.walk(hierarchy.root, topdown=False)
        if _host_is_dead(os.path.basename(path)) and not hierarchy.own.is_relative_to(path)
    ]
    for folder in stale:
        with contextlib.suppress(SandboxError):
            _kill(folder)
    _remove_soon(stale)


def _host_is_dead(name: str) -> bool:
    group = re.match(r"sandbox-(\d+)-(\d+)-(\d+)-", name)
    if group is None or int(group[1]) != os.stat("/proc/self/ns/pid").st_ino:
        return False
    try:
        return _start_time(int(group[2])) != int(group[3])
    except OSError:
        return True


def _remove_soon(folders: list[Path]) -> None:
    """Remove groups whose processes are about to end; what takes over a second is left for another sweep."""
    deadline = time.monotonic() + 1
    while (folders := [folder for folder in folders if not _remove(folder)]) and time.monotonic() < deadline:
        time.sleep(0.001)


def _remove(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _kill(folder: Path) -> None:
    kill_file = folder / "cgroup.kill"
    if kill_file.exists():
        _write(kill_file, "1")
        return
    signalled: set[int] = set()
    # More than once: those listed may fork before they are hit. What was hit stays listed until it has ended.
    while targets := set(_pids(folder)) - signalled:
        for pid in targets:
            _kill_member(folder, pid)
        signalled |= targets


def _kill_member(folder: Path, pid: int) -> None:
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # Its number may have passed to a stranger since it was listed: what is listed now is what we hold.
        if pid in _pids(folder):
            signal.pidfd_send_signal(process, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(process)


def _pids(folder: Path) -> list[int]:
    # 0 stands for a process of another pid namespace, which has no number here.
    return [int(pid) for pid in _read(folder / "cgroup.procs").split() if pid != "0"]


def _key(file: Path, key: str) -> int:
    """The value of a key in a file of lines "key value"."""
    for line in _read(file).splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    raise SandboxError(f"The kernel's {file} has no line {key!r}.", "Use a younger kernel.")


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise SandboxError(f"Control group file {file} cannot be read: {error.strerror}.") from error


def _write(file: Path, value: str) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SandboxError(f"The kernel refuses {value} for {file}: {error.strerror}.") from error
