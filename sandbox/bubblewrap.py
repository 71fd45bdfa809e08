"""The bubblewrap backend: how a jail is started, spoken to and torn down. No run is judged here."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial

from sandbox.bootstrap import BOOT, PYTHON, compile_inside
from sandbox.contracts import JailLost, Limits
from sandbox.errors import SandboxUnavailable
from sandbox.jail_command import jail_command, system_mounts, unprivileged_prefix, unused_uid
from sandbox.seccomp import build_filter
from sandbox.wire import pack, unpack

START_SECONDS = 20.0
KILL_SECONDS = 5.0
PROTECTIONS = (
    "user_namespace",
    "mount_namespace",
    "pid_namespace",
    "network_namespace",
    "ipc_namespace",
    "uts_namespace",
    "cgroup_namespace",
    "no_nested_user_namespaces",
    "no_capabilities",
    "no_new_privileges",
    "seccomp",
    "read_only_system",
    "private_workspace",
    "clean_environment",
    "resource_limits",
)
"""What `jail_command` asks for and bwrap refuses to start without; `SandboxPool.check` proves them."""


class Bubblewrap:
    """Makes jails with bwrap, as root and as an unprivileged user alike."""

    protections = PROTECTIONS

    def __init__(self) -> None:
        self._inside: bytes | None = None

    async def start(self, limits: Limits) -> BubblewrapJail:
        """A jail whose driver has answered. Raises SandboxUnavailable with bwrap's own words."""
        bwrap = _find("bwrap")
        prefix = []
        if os.geteuid() == 0:
            prefix = unprivileged_prefix(_find("setpriv"), unused_uid())
        try:
            system_call_filter = build_filter(platform.machine())
        except KeyError:
            raise SandboxUnavailable(
                f"The sandbox has no system-call filter for {platform.machine()}.", "Use x86_64 or aarch64."
            ) from None
        if self._inside is None:
            self._inside = await compile_inside()
        with ExitStack() as owned:
            words = _readable(b"", owned)
            info, info_end = os.pipe()
            owned.callback(os.close, info)
            command = partial(jail_command, bwrap, limits, system_mounts(), info_fd=info_end)
            try:
                jail = await _launch(prefix, command, system_call_filter, info_end, words)
            finally:
                os.close(info_end)
            try:
                await jail.greet(self._inside, info)
            except (JailLost, TimeoutError) as error:
                await jail.kill()
                raise _unavailable(os.pread(words, 4096, 0)) from error
            except BaseException:
                await jail.kill()
                raise
        return jail


async def _launch(
    prefix: list[str], command: Callable[..., list[str]], system_call_filter: bytes, info_end: int, words: int
) -> BubblewrapJail:
    """Start bwrap with its stderr in the file `words`, and give the jail whose driver has yet to answer."""
    with ExitStack() as owned, ExitStack() as unless_started:
        control, inside = socket.socketpair()
        # Closed on our side before the first answer, or the end of the jail would not show as end of file.
        owned.enter_context(inside)
        unless_started.enter_context(control)
        control.setblocking(False)
        filter_fd = _readable(system_call_filter, owned)
        program = [PYTHON, "-I", "-B", "-c", BOOT, str(inside.fileno())]
        process = await asyncio.create_subprocess_exec(
            *prefix,
            *command(seccomp_fd=filter_fd, program=program),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=words,
            env={},
            cwd="/",
            pass_fds=(inside.fileno(), filter_fd, info_end),
            # A Ctrl-C at the host's terminal is for the host, which then closes its jails in order.
            start_new_session=True,
        )
        unless_started.pop_all()
        return BubblewrapJail(process, control)


class BubblewrapJail:
    """A running bwrap and the socket to the driver in it."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._first_process: int | None = None
        self._killed = False

    async def greet(self, inside: bytes, info: int) -> None:
        """Hand the driver its code, wait for its word, and learn which process is the jail's first."""
        await self.call(inside, timeout=START_SECONDS, largest_reply=64)
        pid = json.loads(os.read(info, 4096))["child-pid"]
        with suppress(ProcessLookupError):
            self._first_process = os.pidfd_open(pid)

    async def call(self, *request: bytes, timeout: float, largest_reply: int) -> list[bytes]:
        """See `Jail.call`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                await loop.sock_sendall(self._control, pack(*request))
                length = int.from_bytes(await self._receive(8), "big")
                if length > largest_reply:
                    raise JailLost(f"an answer of {length} bytes")
                return unpack(await self._receive(length))
        except (OSError, ValueError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise JailLost(str(error)) from error

    async def _receive(self, count: int) -> bytes:
        loop = asyncio.get_running_loop()
        received = bytearray()
        while len(received) < count:
            chunk = await loop.sock_recv(self._control, min(count - len(received), 1 << 20))
            if not chunk:
                raise JailLost("the driver is gone")
            received += chunk
        return bytes(received)

    async def kill(self) -> None:
        """See `Jail.kill`. The kill comes before the first await, so a cancellation cannot prevent it."""
        if self._killed:
            await self._process.wait()
            return
        self._killed = True
        # Whoever waits for an answer sees the end at once; closing now would leave them waiting.
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        with suppress(ProcessLookupError):
            if self._first_process is None:
                self._process.kill()
            else:
                # Not bwrap but the first process inside: bwrap ends once the kernel has ended all the others.
                signal.pidfd_send_signal(self._first_process, signal.SIGKILL)
        try:
            await asyncio.wait_for(self._process.wait(), KILL_SECONDS)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        finally:
            self._control.close()
            if self._first_process is not None:
                os.close(self._first_process)
                self._first_process = None


def _readable(data: bytes, owner: ExitStack) -> int:
    """A file in memory that holds `data` and is read from its start; `owner` closes it."""
    descriptor = os.memfd_create("sandbox")
    owner.callback(os.close, descriptor)
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _find(program: str) -> str:
    path = shutil.which(program, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin")
    if path is None:
        raise SandboxUnavailable(
            f"The sandbox needs the program {program}, which is not there.",
            "Install it, e.g. `apt-get install bubblewrap util-linux`.",
        )
    return path


def _unavailable(words: bytes) -> SandboxUnavailable:
    said = words.decode(errors="replace").strip() or "it said nothing"
    return SandboxUnavailable(
        f"bubblewrap could not make a jail: {said}.",
        "Allow unprivileged user namespaces (user.max_user_namespaces above 0 and, on Ubuntu, "
        "kernel.apparmor_restrict_unprivileged_userns=0); in a container, run it with a seccomp profile "
        "and an AppArmor setting that allow them, and with /proc unmasked.",
    )
