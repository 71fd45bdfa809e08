"""A Redis server of the test's own, as a process that ends with the test."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class RunningRedis:
    """A server that answers at `url`."""

    port: int
    password: str
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/1"

    def cli(self, *command: str) -> str:
        """What `redis-cli` says to a command, in the database that the address names."""
        client = ["redis-cli", "-p", str(self.port), "-a", self.password, "--no-auth-warning", "-n", "1"]
        return subprocess.run([*client, *command], capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def redis_server(folder: Path, password: str = "sesame") -> Iterator[RunningRedis]:
    """A server with nothing in it; skips the test where Redis is not installed."""
    if shutil.which("redis-server") is None or shutil.which("redis-cli") is None:
        pytest.skip("needs redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no", "--requirepass", password]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "Ready to accept connections" in line:
                    break
            else:
                raise RuntimeError(f"redis-server ended with {process.wait()}")
            yield RunningRedis(port, password, process)
        finally:
            process.terminate()
