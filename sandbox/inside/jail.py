"""What init needs to know of the walls around it, which each backend builds in its own way."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os

from sandbox.inside.usage import PARENT, SESSION, stat_fields
from sandbox.inside.wire import WORKSPACE


class Jail:
    """Walls that stand already when init starts, in a process namespace of their own."""

    workspace = WORKSPACE
    concealed = True
    """Whether init, and a runner that waits, hide from processes of the same user."""
    counts_processes = False
    """Whether init has to count the processes of a run, as the kernel counts those of others with them."""
    after_fork = compile("", "<after-fork>", "exec")
    """What a runner does before it waits, such as drawing new random seeds."""

    def renew(self) -> None:
        """Make the workspace empty: called before the first runner, and again after every run.

        Here it cannot be done again: the slot is for one run.
        """

    def confine(self) -> None:
        """Called in a runner: give up the rights that only init needs."""

    def open_workspace(self) -> int:
        """A descriptor of the workspace for the host, which reaches all files by it."""
        return os.open(self.workspace, os.O_RDONLY | os.O_DIRECTORY)

    def space_is_over(self) -> bool:
        """Whether there is more in the workspace than there may be.

        Here never: its file system bounds it.
        """
        return False

    def end(self) -> None:
        """Called last, when the host has hung up: all that is left of the slot goes with init."""

    def processes(self) -> list[int]:
        """Every process of the slot but this one."""
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]

    def kill(self, interpreter: int) -> set[int]:
        """SIGKILL every process of the slot but this one, the interpreter (if not 0) and its descendants.

        Gives the killed where some are spared.
        """
        if not interpreter:
            # In one system call, during which no process can be forked.
            signal(-1, _signal.SIGKILL)
            return set()
        if not set(self.processes()) - self.family(interpreter):
            return set()
        # What is stopped forks no more, unless another that is not yet stopped wakes it.
        signal(-1, _signal.SIGSTOP)
        # In this order, so that no child of the interpreter is taken for another's.
        alive = set(self.processes())
        spare = self.family(interpreter)
        for pid in alive | spare:
            signal(pid, _signal.SIGCONT if pid in spare else _signal.SIGKILL)
        return alive - spare

    def family(self, ancestor: int) -> set[int]:
        """A process that called setsid, its descendants, and orphans of its session."""
        pids = self.processes()
        parents = {pid: parent_of(pid) for pid in pids}
        found = {ancestor, *(pid for pid in pids if session_of(pid) == ancestor)}
        grown = True
        while grown:
            born = {pid for pid, parent in parents.items() if parent in found} - found
            found |= born
            grown = bool(born)
        return found


def link_home(workspace: str, links: list[tuple[str, str]]) -> None:
    """Let programs find files of the layers in their home."""
    for name, target in links:
        os.makedirs(os.path.dirname(f"{workspace}/{name}"), exist_ok=True)
        os.symlink(target, f"{workspace}/{name}")


def signal(pid: int, number: int) -> None:
    try:  # noqa: SIM105 - contextlib takes a millisecond to import
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def parent_of(pid: int) -> int:
    """The parent's pid, 0 when the process is gone."""
    fields = stat_fields(f"/proc/{pid}")
    return int(fields[PARENT]) if fields else 0


def session_of(pid: int) -> int:
    """The pid of who called setsid for it, 0 when the process is gone."""
    fields = stat_fields(f"/proc/{pid}")
    return int(fields[SESSION]) if fields else 0
