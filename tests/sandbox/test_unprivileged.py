"""The same sandbox for a user without rights, and what is said where none can be made."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandbox

NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"
USE = """
import asyncio, os
from sandbox import Limits, SandboxPool

async def main():
    assert os.geteuid() != 0
    async with SandboxPool() as pool:
        await pool.check()
        async with pool.session(limits=Limits(cpu_seconds=1)) as session:
            await session.write("a.txt", b"kept")
            print((await session.run(code="print(open('a.txt').read())")).stdout.strip())
            print((await session.run(code="import os\\nwhile os.fork(): pass\\nwhile 1: os.wait4")).status)
            print((await session.run(code="while True: pass")).status)
            print((await session.run(code="open('/etc/passwd')")).status)

asyncio.run(main())
"""
CHECK = """
import asyncio
from sandbox import SandboxPool, SandboxUnavailable
try:
    asyncio.run(SandboxPool().check())
except SandboxUnavailable as error:
    print(error)
"""


@pytest.fixture
def package() -> Iterator[Path]:
    """A copy of the package that every user can read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        shutil.copytree(Path(sandbox.__file__).parent, Path(folder, "sandbox"))
        yield Path(folder)


def run(package: Path, *command: str) -> str:
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run(command, cwd=package, capture_output=True, text=True, timeout=60, **user)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def test_the_sandbox_works_without_root(package: Path) -> None:
    out = run(package, SYSTEM_PYTHON, "-B", "-c", USE)
    assert out.split() == ["kept", "process_limit", "cpu_limit", "runtime_error"]


def test_a_machine_without_user_namespaces_is_told_what_to_change(package: Path) -> None:
    no_namespaces = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    out = run(
        package,
        *("unshare", "--user", "--map-user=1000", "--keep-caps", "sh", "-c", no_namespaces, "sh"),
        *(SYSTEM_PYTHON, "-B", "-c", CHECK),
    )
    assert "bwrap: " in out
    assert "Allow unprivileged user namespaces" in out
