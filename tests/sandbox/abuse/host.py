"""The victims: things of the host, opened for the probes to reach for, and looked at afterwards."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.sandbox.abuse.prelude import syscall

GRANTED = {"memory_mb": 128, "cpu_seconds": 30, "processes": 10, "file_mb": 32, "open_files": 256}


class Host:
    """Listeners, files, processes and shared memory of the host. A context manager, which takes them away.

    `values` is what the probes know of them, as `HOST`. `granted` are the limits that the jail was given,
    named as in `sandbox.Limits`. The process called init is what watches over the code: 1 in a jail.
    """

    def __init__(self, granted: dict[str, Any] | None = None) -> None:
        self.secret = f"secret-{secrets.token_hex(16)}"
        # Backwards, so that a probe which searches for it does not find itself.
        self.values: dict[str, Any] = {"init_pid": 1, "secret_backwards": self.secret[::-1]}
        self.values["granted"] = {**GRANTED, **(granted or {})}
        self._owned = ExitStack()

    def __enter__(self) -> Host:
        with ExitStack() as owned:
            self._owned = owned
            folder = Path(tempfile.mkdtemp(prefix="abuse-"))
            owned.callback(folder.rmdir)
            # Whatever hides these from the code inside, it is not their permissions.
            folder.chmod(0o755)
            self._open_files(folder)
            self._open_listeners(folder)
            self._open_processes()
            self._open_shared_memory()
            self.values["hostname"] = os.uname().nodename
            self._owned = owned.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owned.close()

    def harmed(self) -> list[str]:
        """What was done to the victims, as seen from outside, whatever the probe said."""
        seen = []
        if self.victim.poll() is not None:
            seen.append("a process of the host was killed")
        if _state(self.frozen.pid) != "T":
            seen.append("a stopped process of the host was woken")
        if self.secret_file.read_text() != self.secret:
            seen.append("a file of the host was changed")
        for listener in (self.tcp, self.tcp6, self.abstract, self.unix):
            with suppress(BlockingIOError):
                listener.accept()[0].close()
                seen.append(f"a listener of the host was reached: {listener.getsockname()!r}")
        with suppress(BlockingIOError):
            self.udp.recv(1)
            seen.append("a datagram came to the host")
        return seen

    def _open_files(self, folder: Path) -> None:
        self.secret_file = folder / "secret"
        self.secret_file.write_text(self.secret)
        self._owned.callback(self.secret_file.unlink, missing_ok=True)
        held = self._owned.enter_context(self.secret_file.open())
        fcntl.flock(held, fcntl.LOCK_SH)
        shared = Path("/dev/shm", folder.name)
        shared.write_text(self.secret)
        self._owned.callback(shared.unlink, missing_ok=True)
        os.environ["ABUSE_SECRET"] = self.secret
        self._owned.callback(os.environ.pop, "ABUSE_SECRET", None)
        self.values |= {
            "secret_file": str(self.secret_file),
            "shared_file": str(shared),
            "locked_inode": self.secret_file.stat().st_ino,
            "home": str(Path.home()),
            "home_identity": _identity(Path.home()),
            "project": str(Path.cwd()),
            "project_identity": _identity(Path.cwd()),
        }

    def _open_listeners(self, folder: Path) -> None:
        self.tcp = self._listener(socket.AF_INET, ("0.0.0.0", 0))
        try:
            self.tcp6 = self._listener(socket.AF_INET6, ("::1", 0))
        except OSError:  # a host without IPv6: the probe will say so
            self.tcp6 = self.tcp
        self.udp = self._owned.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.udp.bind(("0.0.0.0", 0))
        self.udp.setblocking(False)
        self.abstract = self._listener(socket.AF_UNIX, f"\0{folder.name}")
        self.unix = self._listener(socket.AF_UNIX, str(folder / "socket"))
        (folder / "socket").chmod(0o777)
        self._owned.callback((folder / "socket").unlink, missing_ok=True)
        self.values |= {
            "tcp_port": self.tcp.getsockname()[1],
            "tcp6_port": self.tcp6.getsockname()[1],
            "udp_port": self.udp.getsockname()[1],
            "abstract_name": folder.name,
            "unix_path": str(folder / "socket"),
        }

    def _listener(self, family: int, address: Any) -> socket.socket:
        listener = self._owned.enter_context(socket.socket(family))
        listener.bind(address)
        listener.listen()
        listener.setblocking(False)
        return listener

    def _open_processes(self) -> None:
        self.victim = self._process()
        self.frozen = self._process()
        self.frozen.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.frozen.pid, os.WSTOPPED | os.WNOWAIT)
        self.values |= {"victim_pid": self.victim.pid, "frozen_pid": self.frozen.pid}

    def _process(self) -> subprocess.Popen[bytes]:
        """A process that lasts as long as the host, with the secret in its command line and environment."""
        words = ["sh", "-c", "read _", self.secret]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, env={**os.environ, "SECRET": self.secret})
        self._owned.callback(process.communicate)
        self._owned.callback(process.kill)
        return process

    def _open_shared_memory(self) -> None:
        create, private, remove = 0o1000, 0, 0
        segment = syscall("shmget", private, 4096, create | 0o666)
        self._owned.callback(syscall, "shmctl", segment, remove, None)
        queue = self.secret.encode()
        os.close(syscall("mq_open", queue, os.O_CREAT | os.O_RDWR, 0o666, None))
        self._owned.callback(syscall, "mq_unlink", queue)
        self.values |= {"shm_id": segment}


def _identity(folder: Path) -> tuple[int, int] | None:
    """The device and inode of a folder, None where there is none."""
    if not folder.exists():
        return None
    status = folder.stat()
    return status.st_dev, status.st_ino


def _state(pid: int) -> str:
    """A process's state as one letter: R, S, T, Z and so on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
