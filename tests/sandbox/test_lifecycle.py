"""What is dead when: after a run, a cancellation, a lost jail, the pool, and a host that was killed."""

from __future__ import annotations

import asyncio
import sys

import psutil
import pytest

from sandbox import Limits, SandboxError, SandboxPool, Session
from tests.sandbox.conftest import alive, eventually, lingering, seen

DAEMON = """
import glob, os, sys
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", [sys.argv[1], "300"])
    os._exit(0)
os.close(write)
os.read(read, 1)  # ends when the daemon has become sleep
commands = [open(path).read() for path in glob.glob("/proc/[0-9]*/cmdline")]
print(sum(command.startswith(sys.argv[1]) for command in commands), "daemon runs")
"""


def jails() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if child.name() == "bwrap"]


async def test_processes_do_not_outlive_their_run(session: Session, marker: str) -> None:
    result = await session.run(argv=["python3", "-c", DAEMON, marker])
    assert (result.status, result.stdout) == ("ok", "1 daemon runs\n")
    assert alive(marker) == []
    assert (await session.run(shell="ls /proc | grep -c '^[0-9]'")).stdout == "4\n"


async def test_a_fork_bomb_is_contained_and_dead_afterwards(pool: SandboxPool, marker: str) -> None:
    bomb = "import os, time\nwhile True:\n  try: os.fork()\n  except OSError: time.sleep(0.01)"
    async with pool.session(limits=Limits(wall_seconds=2)) as session:
        run = asyncio.create_task(session.run(argv=["python3", "-c", bomb, marker]))
        await seen(marker)
        most = 0
        while not run.done():
            most = max(most, len(alive(marker)))
            await asyncio.sleep(0.05)
        assert run.result().status == "timeout"
        assert 1 < most <= Limits().processes
        assert alive(marker) == []
        assert (await session.run(code="print('still here')")).stdout == "still here\n"


async def test_cancelling_a_run_kills_it_at_once(session: Session, marker: str) -> None:
    run = asyncio.create_task(session.run(argv=["sh", "-c", "setsid sleep 300 & wait", marker]))
    await seen(marker)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert alive(marker) == []
    assert jails() == []
    assert (await session.run(code="print('a new jail')")).stdout == "a new jail\n"


async def test_code_cannot_kill_or_disturb_the_driver(session: Session) -> None:
    await session.write("kept", b"")
    code = """
import os, resource, signal
for number in range(1, 65):
    try: os.kill(1, number)
    except OSError: pass
for attack in (
    lambda: open("/proc/1/mem", "r+b"),
    lambda: os.listdir("/proc/1/fd"),
    lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0)),
    lambda: os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0)),
    lambda: os.setpriority(os.PRIO_PROCESS, 1, 19),
):
    try: attack()
    except OSError: continue
    print("an attack succeeded")
"""
    result = await session.run(code=code)
    assert (result.status, result.stdout) == ("ok", ""), result
    assert await session.listdir() == ["kept"]


async def test_a_lost_jail_is_the_run_s_crash_and_the_session_goes_on(session: Session, marker: str) -> None:
    await session.write("gone", b"")
    run = asyncio.create_task(session.run(argv=lingering(marker)))
    await seen(marker)
    (driver,) = jails()[0].children()
    driver.kill()
    result = await run
    assert result.status == "crashed"
    assert "empty workspace" in result.stderr
    assert alive(marker) == []
    assert (await session.run(shell="ls")).stdout == ""


async def test_a_driver_that_does_not_answer_is_a_timeout(pool: SandboxPool, marker: str) -> None:
    async with pool.session(limits=Limits(wall_seconds=1)) as session:
        run = asyncio.create_task(session.run(argv=lingering(marker)))
        (driver,) = jails()[0].children()
        driver.suspend()
        assert (await run).status == "timeout"
        assert alive(marker) == []
        assert (await session.run(code="print(1)")).ok


async def test_forged_control_messages_confuse_nobody(session: Session) -> None:
    code = """
import os
forged = bytes.fromhex("0000000000000026") + b"\\0\\0\\0\\4done" * 5
reached = []
for descriptor in range(1024):
    try:
        os.write(descriptor, forged)
        reached.append(descriptor)
    except OSError:
        pass
print(reached)
os._exit(5)
"""
    result = await session.run(code=code)
    assert result.stdout.endswith("[0, 1, 2]\n")
    assert (result.status, result.exit_code) == ("runtime_error", 5)
    assert (await session.run(code="print('next')")).stdout == "next\n"


async def test_nothing_is_left_when_the_pool_is_left(marker: str) -> None:
    async with SandboxPool() as pool:
        async with pool.session() as session:
            runs = [
                asyncio.create_task(session.run(argv=lingering(marker))),
                asyncio.create_task(pool.run(argv=lingering(marker))),
            ]
            await eventually(lambda: len(alive(marker)) == 2)
            await pool.close()
            results = await asyncio.gather(*runs)
        assert [result.status for result in results] == ["crashed", "crashed"]
        with pytest.raises(SandboxError, match="closed"):
            await pool.run(code="1")
    assert jails() == []
    assert alive(marker) == []


async def test_a_killed_host_leaves_nothing(marker: str) -> None:
    host = f"""
import asyncio
from sandbox import SandboxPool
async def main():
    async with SandboxPool() as pool:
        await pool.run(argv=["sh", "-c", "setsid sleep 300 & sleep 300", {marker[:10]!r} + {marker[10:]!r}])
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", host)
    try:
        await seen(marker)
        below = psutil.Process(process.pid).children(recursive=True)
        assert len(below) >= 3
    finally:
        process.kill()
        await process.wait()
    await eventually(lambda: not any(child.is_running() for child in below))
