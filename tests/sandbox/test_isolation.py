"""What code inside can reach: each probe is first shown to succeed on the host."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sandbox import SandboxPool, Session
from tests.sandbox.conftest import ON_ONE_LOOP, alive, lingering, seen

pytestmark = ON_ONE_LOOP

CONNECT = """
import socket
connection = socket.socket(socket.{family}, socket.SOCK_STREAM)
connection.connect({address!r})
print("reached")
"""
SYSTEM_CALLS = """
import ctypes, errno, platform
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
column = 0 if platform.machine() == "x86_64" else 1
calls = {
    "unshare": ((272, 97), 0x10000000),
    "clone": ((56, 220), 0x10000000 | 17, 0, 0, 0, 0),
    "mount": ((165, 40), b"none", b"/tmp", b"tmpfs", 0, None),
    "ptrace": ((101, 117), 0, 0, 0, 0),
    "keyctl": ((250, 219), 0, -3, 0),
    "memfd_create": ((319, 279), b"x", 0),
    "io_uring_setup": ((425, 425), 0, None),
    "vsock": ((41, 198), 40, 1, 0),
    "netlink": ((41, 198), 16, 3, 0),
}
for name, (numbers, *arguments) in calls.items():
    value = libc.syscall(numbers[column], *arguments)
    if name == "clone" and value == 0: libc._exit(0)
    print(name, errno.errorcode[ctypes.get_errno()] if value < 0 else "allowed")
"""


def on_the_host(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


async def test_the_host_s_network_is_out_of_reach(session: Session) -> None:
    tcp = socket.create_server(("127.0.0.1", 0))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0sandbox-test-{os.getpid()}")
    abstract.listen()
    with tcp, abstract:
        for family, listener in (("AF_INET", tcp), ("AF_UNIX", abstract)):
            probe = CONNECT.format(family=family, address=listener.getsockname())
            assert on_the_host(probe) == "reached\n"
            result = await session.run(code=probe)
            assert result.stdout == ""
            assert "Connection refused" in result.stderr


async def test_there_is_no_way_to_any_other_machine(session: Session) -> None:
    result = await session.run(code=CONNECT.format(family="AF_INET", address=("192.0.2.1", 80)))
    assert result.status == "policy_denied", result
    assert "Network is unreachable" in result.stderr


async def test_a_server_inside_can_be_talked_to_inside(session: Session) -> None:
    code = """
import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
server.accept()[0].send(b"hello")
print(client.recv(5).decode())
"""
    assert (await session.run(code=code)).stdout == "hello\n"


async def test_host_files_are_invisible(session: Session, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    for path in (
        str(secret),
        "/etc/shadow",
        "/root",
        "/home",
        "/var",
        "/sys",
        str(Path.cwd()),
    ):
        probe = f"import os; print(os.path.lexists({path!r}))"
        assert on_the_host(probe) == "True\n"
        assert (await session.run(code=probe)).stdout == "False\n", path


async def test_the_accounts_that_show_are_made_up(session: Session) -> None:
    shown = (await session.run(shell="cat /etc/passwd /etc/group /etc/hosts")).stdout
    assert "sandbox:x:1000:1000:sandbox:/tmp" in shown
    real = on_the_host("print(open('/etc/passwd').read())")
    # Of the host's accounts none but root, whom every host has.
    names = {line.partition(":")[0] for line in real.splitlines()} - {"root", ""}
    assert names.isdisjoint(line.partition(":")[0] for line in shown.splitlines())


async def test_host_environment_and_processes_are_invisible(
    pool: SandboxPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_SECRET", "of-the-host")
    probe = """
import glob, os
seen = dict(os.environ)
for path in glob.glob("/proc/[0-9]*/environ"):
    try: seen[path] = open(path).read()
    except OSError: pass
print("of-the-host" in str(seen), len(glob.glob("/proc/[0-9]*")) > 5)
"""
    assert on_the_host(probe) == "True True\n"
    assert (await pool.run(code=probe)).stdout == "False False\n"


async def test_code_is_nobody_s_root_and_has_no_capability(session: Session, pool: SandboxPool) -> None:
    result = await session.run(shell="id -u; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status")
    uid, *status = result.stdout.split("\n")
    assert int(uid) != 0
    assert [line.split()[1].lstrip("0") for line in status if line] == ["", "", "1", "2"]


async def test_seen_from_the_host_code_runs_as_nobody_who_matters(session: Session, marker: str) -> None:
    run = asyncio.create_task(session.run(argv=lingering(marker)))
    await seen(marker)
    ids = psutil.Process(alive(marker)[0]).uids()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    if os.geteuid() == 0:
        accounts = {account.pw_uid for account in pwd.getpwall()}
        assert accounts.isdisjoint(ids)
    else:
        assert set(ids) == {os.geteuid()}


@pytest.mark.parametrize("folder", ["/", "/usr", "/usr/bin", "/etc", "/dev", "/proc/sys/kernel"])
async def test_only_the_workspace_can_be_written(session: Session, folder: str) -> None:
    result = await session.run(code=f"open({folder + '/x'!r}, 'w')")
    assert result.exit_code == 1
    assert "Error" in result.stderr
    written = await session.run(shell="echo x > /tmp/x && echo x > /dev/shm/x && echo x > /dev/null")
    assert written.ok, written


async def test_dangerous_system_calls_are_denied(session: Session) -> None:
    allowed_here = on_the_host(SYSTEM_CALLS)
    for name in ("ptrace", "keyctl", "memfd_create", "netlink"):
        assert f"{name} allowed" in allowed_here
    result = await session.run(code=SYSTEM_CALLS)
    verdicts = dict(line.split() for line in result.stdout.splitlines())
    sockets = {name: verdicts.pop(name) for name in ("vsock", "netlink")}
    assert set(sockets.values()) == {"EAFNOSUPPORT"}
    assert set(verdicts.values()) == {"EPERM"}, verdicts
