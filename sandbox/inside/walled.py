"""The landlock backend's jail, for hosts that have no namespaces for us: read `start` from the top.

The code shares the host's processes, network and file system, and is denied what it would find there: by
Landlock, by a filter of system calls, and where the host is root by a user id that no one else has. Launcher
and init have the same user id as the code; that they are not in its Landlock domain keeps it off them.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import os
import sys
import time

from sandbox.inside import init, kernel, landlock, space
from sandbox.inside.jail import Jail, link_home, parent_of, session_of
from sandbox.inside.usage import THREADS, read_file, stat_fields


class Config:
    """What the host decides of a slot; plain values, as they travel by marshal."""

    def __init__(
        self,
        workspace: str,
        readable: list[str],
        devices: list[str],
        paths: list[str],
        home_links: list[tuple[str, str]],
        tmp_mb: int,
        inodes: int,
        shares_user: bool,
        filters: list[bytes],
    ) -> None:
        self.workspace = workspace
        self.readable = readable
        self.devices = devices
        self.paths = paths
        self.home_links = home_links
        self.tmp_mb = tmp_mb
        self.inodes = inodes
        self.shares_user = shares_user
        self.filters = filters


def start(control: int, values: tuple) -> None:  # type: ignore[type-arg]
    """Be the slot's launcher and, in a child, its init. A host that is root has given that up already."""
    config = Config(*values)
    sys.path += config.paths
    # What a shell on the way here has added to the environment that the host chose.
    for name in ("PWD", "OLDPWD", "SHLVL", "_"):
        os.environ.pop(name, None)
    control_socket = _socket.socket(fileno=control)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.drop_capabilities()
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        raise OSError("this kernel does not tell the children of a process (CONFIG_PROC_CHILDREN)")
    os.umask(0o022)
    os.mkdir(config.workspace, 0o700)
    jail = WalledJail(config)
    child = os.fork()
    # Whoever is orphaned below becomes a child of init, or once that is dead of the launcher.
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    if child == 0:
        try:
            init.serve(control_socket, jail, 0)
        finally:
            # The host was gone in the middle of a word.
            jail.end()
    # The launcher does not hear the host, only the end of init, so as to clear away after it.
    control_socket.close()
    os.waitpid(child, 0)
    jail.end()
    os._exit(0)


LOOKS = 5
"""A folder may be locked while it is looked at: by chance once, by who has something to hide every time."""


class WalledJail(Jail):
    """The descendants of this process, init or launcher, are the slot; no other process is touched."""

    # Init has to see what files a process has open. Landlock hides those of init from the code.
    concealed = False

    def __init__(self, config: Config) -> None:
        self.workspace = config.workspace
        self.counts_processes = config.shares_user
        self.config = config
        self.device = os.stat(config.workspace).st_dev
        self.own_files = 0

    def renew(self) -> None:
        """Called before the first runner, and at the end, when the files go with the slot."""
        if self.own_files == 0:
            link_home(self.workspace, self.config.home_links)
            made = space.Space(1 << 62, 1 << 62)
            made.add_tree(self.workspace)
            # The folder of figures is none of the code's either.
            self.own_files = len(made.seen) + 1

    def open_workspace(self) -> int:
        # The code may have locked itself out, and with it the next run.
        return space.open_top(self.workspace)

    def confine(self) -> None:
        """Deny this runner and all that it starts what is outside of the slot."""
        # Should init and launcher be killed both, at least the runner goes with them.
        kernel.prctl(kernel.PR_SET_PDEATHSIG, _signal.SIGKILL)
        if len(landlock.restrict(self.config.readable, [self.workspace, *self.config.devices])) < 4:
            raise OSError("this kernel's Landlock does not deny all that it has to")
        for program in self.config.filters:
            kernel.install_filter(kernel.Filter(program))

    def space_is_over(self) -> bool:
        for _ in range(LOOKS):
            used = space.Space(self.config.tmp_mb << 20, self.config.inodes + self.own_files)
            try:
                used.add_tree(self.workspace)
                for pid in self.processes():
                    used.add_nameless(pid, self.device)
            except space.TooMuch:
                return True
            except PermissionError:
                continue
            return False
        return True

    def processes(self) -> list[int]:
        return list(self.parents())

    def parents(self) -> dict[int, int]:
        """Each process of the slot but this one, after its parent, and who that is."""
        found: dict[int, int] = {}
        unseen = [os.getpid()]
        while unseen:
            parent = unseen.pop()
            for child in children_of(parent):
                if child not in found:
                    found[child] = parent
                    unseen.append(child)
        return found

    def kill(self, interpreter: int) -> set[int]:
        killed: set[int] = set()
        # One that was forked at the last moment shows in the next round.
        while doomed := self.doomed(interpreter):
            stopped: dict[int, int] = {}
            # What is stopped forks no more.
            while born := {pid: parent for pid, parent in doomed.items() if pid not in stopped}:
                for pid, parent in born.items():
                    signal_child(pid, parent, _signal.SIGSTOP)
                stopped |= born
                doomed = self.doomed(interpreter)
            for pid, parent in stopped.items():
                signal_child(pid, parent, _signal.SIGKILL)
            killed |= stopped.keys()
            time.sleep(0.0005)
        return killed

    def doomed(self, interpreter: int) -> dict[int, int]:
        """Those of `parents` that live, without the interpreter and its family (see `Jail.family`)."""
        parents = self.parents()
        spared = {interpreter, *(pid for pid in parents if interpreter and session_of(pid) == interpreter)}
        for pid, parent in parents.items():
            if parent in spared:
                spared.add(pid)
        return {pid: parent for pid, parent in parents.items() if pid not in spared and not is_dead(pid)}

    def end(self) -> None:
        # First in init, then in the launcher; either may be why the host has hung up.
        self.kill(0)
        if os.path.exists(self.workspace):
            space.remove(self.workspace)


def children_of(pid: int) -> list[int]:
    """The children of a process that it has not waited for; none when it is gone."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    lists = (read_file(f"/proc/{pid}/task/{thread}/children") for thread in threads)
    return [int(child) for words in lists for child in words.split()]


def is_dead(pid: int) -> bool:
    """Whether a process only waits to be waited for. Its first thread may be dead long before it."""
    fields = stat_fields(f"/proc/{pid}")
    return bool(fields) and fields[0] in (b"Z", b"X") and int(fields[THREADS]) <= 1


def signal_child(pid: int, parent: int, number: int) -> None:
    """Signal a process if it is still a child of `parent`, or by now of ours; its number may be another's."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return
    try:
        # 0 for one that is gone, or that /proc hides.
        if parent_of(pid) in (parent, os.getpid(), 0):
            _signal.pidfd_send_signal(process, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(process)
