"""What every way to make a slot has in common: what is asked for, and how its processes are started."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from sandbox.backends.system import package_folders
from sandbox.cgroups import Group, Parent
from sandbox.errors import SandboxUnavailable
from sandbox.inside.wire import WORKSPACE, memory_file
from sandbox.profiles import Profile
from sandbox.slot import Slot, SlotLost, Traits

START_SECONDS = 60.0
PROXY_PORT = 3128
"""Where, inside a slot that may reach hosts, the host's proxy listens."""
LAYERS = "/opt/layers"
"""Where layers show inside."""

ENVIRONMENT = {
    "HOME": WORKSPACE,
    "TMPDIR": WORKSPACE,
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "USER": "sandbox",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    # One CPU is what a run should count on; these libraries would start a thread for each of the host's.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class SlotKind:
    """What slots of one kind have in common; a run needs a slot of its kind."""

    profile: Profile
    tmp_mb: int
    inodes: int
    reaches_hosts: bool

    @property
    def proxy_port(self) -> int:
        return PROXY_PORT if self.reaches_hosts else 0

    def layers(self) -> list[tuple[str, str]]:
        """Each layer's folder, and where it shows inside."""
        return [(str(layer.path), f"{LAYERS}/{layer.key}") for layer in self.profile.layers]

    def packages(self) -> list[str]:
        """The folders inside that hold the layers' packages."""
        return [f"{LAYERS}/{layer.key}/packages" for layer in self.profile.layers]

    def paths_file(self) -> str:
        """What tells a python that starts inside of these folders."""
        return "".join(f"{folder}\n" for folder in self.packages())

    def home_links(self) -> list[tuple[str, str]]:
        """Paths in the home, relative, and the file inside that each is to be a link to."""
        return [
            (str(name), f"{LAYERS}/{layer.key}/{file.relative_to(layer.path)}")
            for layer in self.profile.layers
            for name, file in layer.links()
        ]

    def environment(self) -> dict[str, str]:
        """The whole environment inside: nothing of the host's, where secrets live."""
        environment = {**ENVIRONMENT, **self.profile.environment}
        if self.profile.layers and not package_folders():
            environment["PYTHONPATH"] = ":".join(self.packages())
        if self.reaches_hosts:
            proxy = f"http://127.0.0.1:{PROXY_PORT}"
            environment |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), proxy)
        return environment


class Backend(Protocol):
    """A way to make slots, each with its protections: see `sandbox.backends.protections`."""

    name: str

    async def start(self, kind: SlotKind) -> Slot:
        """A new slot with a runner standing by. Raises SandboxUnavailable when none can be made."""
        ...


@contextmanager
def control_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The host's end and the slot's of what init is spoken to by.

    The slot's is closed at the end, so that its death shows at the other; the host's if no slot came of it.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        try:
            yield ours, theirs
        except BaseException:
            ours.close()
            raise


@asynccontextmanager
async def new_group(parent: Parent, name: str) -> AsyncIterator[Group]:
    """A control group in `parent`, from then on the slot's to end if one came of it."""
    group = Group.create(parent, name)
    try:
        yield group
    except BaseException:
        await group.end()
        raise


async def start_slot(
    command: list[str],
    descriptors: tuple[int, ...],
    environment: dict[str, str],
    control: tuple[socket.socket, socket.socket],
    traits: Traits,
    explain: Callable[[str], SandboxUnavailable],
) -> Slot:
    """Start `command`, which itself joins `traits.group`, and wait until a runner stands by in its slot.

    `control` is a `control_pair`, `descriptors` what the command inherits besides; `explain` turns what it
    wrote on its stderr before it failed into an error.
    """
    ours, theirs = control
    words = memory_file(b"")
    try:
        ours.setblocking(False)
        process = subprocess.Popen(  # noqa: ASYNC220 - forks in a millisecond, and asyncio's does no less
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=words,
            env=environment,
            cwd="/",
            pass_fds=(theirs.fileno(), *descriptors),
            # A Ctrl-C at the host's terminal is for the host, which then ends its slots in order.
            start_new_session=True,
        )
        slot = Slot(process, ours, traits)
        # Ours must be the only end but the slot's: its death shows as the end of the stream.
        theirs.close()
        try:
            await slot.runner(START_SECONDS)
        except SlotLost as error:
            await slot.kill()
            said = os.pread(words, 1 << 16, 0).decode(errors="replace").strip()
            raise explain(said or str(error) or f"it was not ready after {START_SECONDS:.0f} s") from error
        except BaseException:
            await slot.kill()
            raise
        return slot
    finally:
        os.close(words)
