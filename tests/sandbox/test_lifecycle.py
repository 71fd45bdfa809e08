"""What is dead when: after a run, after a cancellation, and when a pool is closed under those who use it."""

from __future__ import annotations

import asyncio

import pytest

from sandbox import Limits, SandboxError, SandboxPool, Session
from tests.sandbox.conftest import ON_ONE_LOOP, alive, eventually, inits, lingering, seen

pytestmark = ON_ONE_LOOP

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


async def test_processes_do_not_outlive_their_run(session: Session, marker: str) -> None:
    result = await session.run(argv=["python3", "-c", DAEMON, marker])
    assert (result.status, result.stdout) == ("ok", "1 daemon runs\n")
    assert alive(marker) == []
    # Init and the program; of the daemon nothing.
    assert (await session.run(shell="set -- /proc/[0-9]*; echo $#")).stdout == "2\n"


async def test_a_run_ends_with_its_first_process(pool: SandboxPool, marker: str) -> None:
    # Though a daemon holds its output open, for whose end a pipe's reader might wait.
    script = f"setsid sh -c 'sleep 300; :' {marker} & echo done"
    result = await pool.run(shell=script, limits=Limits(wall_seconds=9))
    assert (result.status, result.stdout) == ("ok", "done\n")
    assert alive(marker) == []


async def test_a_fork_bomb_is_contained_and_dead_afterwards(pool: SandboxPool, marker: str) -> None:
    bomb = "import os, time\nwhile True:\n  try: os.fork()\n  except OSError: time.sleep(0.01)"
    async with pool.session(limits=Limits(wall_seconds=1)) as session:
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


async def test_cancelling_a_run_kills_it_at_once(pool: SandboxPool, session: Session, marker: str) -> None:
    for runs in (session, pool):
        run = asyncio.create_task(runs.run(argv=["sh", "-c", "setsid sleep 300 & wait", marker]))
        await seen(marker)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert alive(marker) == []
        assert (await runs.run(code="print('a new slot')")).stdout == "a new slot\n"
    assert pool.lost_slots == 0


async def test_code_cannot_kill_or_disturb_init(session: Session) -> None:
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


async def test_a_run_has_no_descriptor_but_its_three(session: Session) -> None:
    code = """
import os
reached = []
for descriptor in range(1024):
    try:
        os.write(descriptor, b"ended 0 0.0 0")
        reached.append(descriptor)
    except OSError:
        pass
print(reached)
os._exit(5)
"""
    for fresh in (False, True):
        result = await session.run(code=code, fresh=fresh)
        assert result.stdout.endswith("[0, 1, 2]\n"), result
        assert (result.status, result.exit_code) == ("runtime_error", 5)
    assert (await session.run(code="print('next')")).stdout == "next\n"


async def test_a_pool_that_is_closed_ends_what_goes_on_in_it(marker: str) -> None:
    pool = SandboxPool()
    async with pool.session() as session:
        uses = [
            asyncio.create_task(session.run(argv=lingering(marker))),
            asyncio.create_task(pool.run(argv=lingering(marker))),
        ]
        await eventually(lambda: len(alive(marker)) == 2)
        await pool.close()
        await pool.close()
        ended = await asyncio.gather(*uses, return_exceptions=True)
        assert [type(error) for error in ended] == [SandboxError, SandboxError]
        for use in (session.run, pool.run):
            with pytest.raises(SandboxError, match="closed"):
                await use(code="1")
    assert alive(marker) == []


async def test_a_pool_that_was_never_used_has_made_nothing() -> None:
    before = {init.pid for init in inits()}
    async with SandboxPool():
        assert {init.pid for init in inits()} == before
