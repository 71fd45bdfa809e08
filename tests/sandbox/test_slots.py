"""Slots that die, are used up or are given on: no task pays for it, and the next one learns nothing."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import itertools
import os
import resource
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import pytest

from sandbox import Limits, SandboxError, SandboxPool, SessionLost
from sandbox import pool as pool_module
from sandbox import slot as slot_module
from sandbox.cgroups import find_parent
from tests.sandbox.conftest import (
    Holdings,
    alive,
    eventually,
    inits,
    launchers,
    lingering,
    seen,
    slot_of,
)
from tests.sandbox.hosts import pool_of
from tests.sandbox.traces import control_groups


def kill_init(marker: str) -> None:
    slot_of(marker)[1].kill()


def kill_launcher(marker: str) -> None:
    slot_of(marker)[0].kill()


def stop_init(marker: str) -> None:
    slot_of(marker)[1].suspend()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a slot that does not do what it is told up sooner than a busy host should."""
    monkeypatch.setattr(slot_module, "STOP_SECONDS", 1.0)
    monkeypatch.setattr(slot_module, "READY_SECONDS", 1.0)


@pytest.fixture
async def one() -> AsyncIterator[SandboxPool]:
    """A pool for one run at a time."""
    async with SandboxPool(slots=1, backend="zygote") as pool:
        assert (await pool.run(code="")).ok
        yield pool


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("attack", [kill_init, kill_launcher, stop_init])
async def test_a_run_whose_slot_dies_is_repeated_on_another(
    one: SandboxPool, marker: str, attack: Callable[[str], None]
) -> None:
    command = ["sh", "-c", "echo $$ > file; ls | wc -l; sleep 0.3; echo done", marker]
    run = asyncio.create_task(one.run(argv=command, limits=Limits(wall_seconds=1)))
    await seen(marker)
    attack(marker)
    result = await run
    assert (result.status, result.stdout) == ("ok", "1\ndone\n"), result
    assert one.lost_slots == 1
    assert alive(marker) == []


async def test_a_run_whose_slots_keep_dying_is_the_sandbox_s_error(one: SandboxPool, marker: str) -> None:
    run = asyncio.create_task(one.run(argv=lingering(marker)))
    for _ in range(3):
        await seen(marker)
        kill_init(marker)
        await eventually(lambda: not alive(marker))
    with pytest.raises(SandboxError, match="3 slots in a row"):
        await run
    assert one.lost_slots == 3
    assert (await one.run(code="print(1)")).stdout == "1\n"


async def test_a_slot_that_dies_idle_is_replaced_and_keeps_nobody_busy(one: SandboxPool) -> None:
    for init in inits():
        init.kill()
    await eventually(lambda: not inits())
    before = sum(os.times()[:2])
    await asyncio.sleep(0.3)
    assert sum(os.times()[:2]) - before < 0.15
    assert (await one.run(code="print(1)")).stdout == "1\n"
    assert one.lost_slots == 1


async def test_a_session_whose_slot_dies_before_it_begins_gets_another(one: SandboxPool) -> None:
    [init] = inits()
    init.kill()
    init.wait()
    # The pool has not heard of it yet.
    async with one.session(files={"given": b"whole"}) as session:
        assert await session.read("given") == b"whole"
    assert one.lost_slots == 1


async def test_a_session_whose_slot_dies_says_so_and_begins_again_with_nothing(one: SandboxPool) -> None:
    async with one.session() as session:
        await session.step("open('kept', 'w')")
        assert session.has_slot
        [init] = inits()
        init.kill()
        init.wait()
        with pytest.raises(SessionLost, match="files and variables"):
            await session.step("1")
        assert not session.has_slot
        assert await session.listdir() == []
        assert session.has_slot


async def test_a_branch_whose_slot_ends_while_it_is_copied_says_so(one: SandboxPool) -> None:
    async with one.session() as session:
        snapshot = await session.snapshot()
        branch = await snapshot.branch()
        await branch.step("import os, time; os.register_at_fork(before=lambda: time.sleep(60))")
        copying = asyncio.create_task(branch.snapshot())
        await asyncio.sleep(0.1)
        await one.close()
        with pytest.raises(SandboxError, match="went with it"):
            await copying


async def test_a_session_whose_copy_was_cancelled_says_that_its_files_are_gone(one: SandboxPool) -> None:
    async with one.session() as session:
        await session.step("x = 1")
        snapshot = await session.snapshot()
        branch = await snapshot.branch()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await branch.step("import time; time.sleep(60)")
        with pytest.raises(SandboxError, match="gone"):
            await session.write("kept", b"")
        await session.write("kept", b"")
        assert await session.listdir() == ["kept"]
    assert one.lost_slots == 0


@pytest.mark.parametrize("how", ["step", "run"])
async def test_a_session_that_loses_its_slot_says_so_and_starts_anew(
    one: SandboxPool, marker: str, how: str
) -> None:
    async with one.session(files={"given": b"again"}) as session:
        await session.step("x = 1")
        await session.write("written", b"")
        if how == "step":
            use = session.step(f"import subprocess; subprocess.run({lingering(marker)!r})")
        else:
            use = session.run(argv=lingering(marker))
        task = asyncio.create_task(use)
        await seen(marker)
        kill_init(marker)
        with pytest.raises(SandboxError, match="went with it"):
            await task
        assert one.lost_slots == 1
        assert "written" not in await session.listdir()
        assert (await session.step("print('x' in dir())")).stdout == "False\n"
        assert alive(marker) == []


@pytest.mark.usefixtures("impatient")
async def test_a_slot_that_does_not_get_ready_again_is_lost(one: SandboxPool) -> None:
    async with one.session() as session:
        assert (await session.run(code="print(1)")).ok
        for init in inits():
            init.suspend()
    async with asyncio.timeout(60):
        result = await one.run(code="print(1)", limits=Limits(wall_seconds=1))
    assert result.stdout == "1\n"


async def test_slots_are_replaced_when_they_are_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "RUNS_A_SLOT", 3)
    used = []
    async with SandboxPool(slots=1, backend="zygote") as pool:
        for _ in range(8):
            await pool.run(code="")
            used += [init.pid for init in inits()]
        assert pool.lost_slots == 0
    assert len(set(used)) == 3


async def test_slots_of_a_kind_that_nobody_wants_any_more_are_let_go() -> None:
    async with SandboxPool(slots=1, backend="zygote") as pool:
        for mb in range(1, 8):
            assert (await pool.run(code="", limits=Limits(tmp_mb=mb))).ok
        assert len(inits()) <= 2


async def test_nothing_is_left_when_a_pool_is_left(marker: str) -> None:
    async with SandboxPool(slots=2, backend="zygote") as pool:
        # What is made once a process, as the compiled code of a slot, is none of a pool's.
        await pool.run(code="")
    before = Holdings.now()
    async with SandboxPool(slots=2, backend="zygote") as pool:
        await asyncio.gather(*(pool.run(code="print(1)") for _ in range(6)))
        async with pool.session() as session:
            await session.step("x = 1")
            branch = await (await session.snapshot()).branch()
            await branch.step("import time")
        run = asyncio.create_task(pool.run(argv=lingering(marker)))
        await seen(marker)
        assert Holdings.now() != before
    assert (await asyncio.gather(run, return_exceptions=True))[0] is not None
    assert alive(marker) == []
    assert Holdings.now() == before


@pytest.mark.parametrize("cancellations", [1, 2])
async def test_nothing_is_left_of_runs_that_were_cancelled(marker: str, cancellations: int) -> None:
    async with SandboxPool(slots=2, backend="zygote") as pool:
        await asyncio.gather(*(pool.run(code="") for _ in range(4)))
        groups_a_slot = len(control_groups()) // len(launchers())
        for delay in (0, 0.001, 0.002, 0.005, 0.05, 0.1, 0.2):
            tasks = [asyncio.create_task(pool.run(argv=lingering(marker))) for _ in range(2)]
            await asyncio.sleep(delay)
            for _ in range(cancellations):
                for task in tasks:
                    task.cancel()
                await asyncio.sleep(0)
            await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(pool.run(code="") for _ in range(4)))
        await eventually(lambda: not alive(marker))
        # Twice as many slots may be idle as run at once.
        await eventually(
            lambda: len(control_groups()) == groups_a_slot * len(launchers()) <= groups_a_slot * 4
        )
        assert pool.lost_slots == 0
    assert (launchers(), control_groups()) == ([], [])


@contextmanager
def only_descriptors(spare: int) -> Iterator[None]:
    """Leave this process no more than `spare` descriptors to open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        for _ in range(spare):
            os.close(taken.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)


async def test_a_host_without_descriptors_to_spare_says_so_and_recovers() -> None:
    before = Holdings.now()
    async with SandboxPool(slots=1, backend="zygote") as pool:
        assert (await pool.run(code="")).ok
        ways: list[dict[str, Any]] = [{}, {"fresh": True}, {"limits": Limits(tmp_mb=4)}]
        for spare, way in itertools.product(range(12), ways):
            with only_descriptors(spare), suppress(OSError, SandboxError):
                assert (await pool.run(code="1", **way)).ok
        assert (await pool.run(code="print(1)")).stdout == "1\n"
    # What an error's traceback still held.
    gc.collect()
    after = Holdings.now()
    assert (after.descriptors, after.processes) == (before.descriptors, before.processes)


HOST = """
import asyncio
from sandbox import SandboxPool
async def main():
    async with SandboxPool() as pool, pool.session() as session:
        await session.step("import subprocess; subprocess.Popen(['sleep', '300'], start_new_session=True)")
        await pool.run(argv=["sh", "-c", "setsid sleep 300 & sleep 300", {first!r} + {rest!r}])
asyncio.run(main())
"""


async def test_a_killed_host_leaves_nothing(marker: str) -> None:
    mounts = Holdings.now().mounts
    host = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOST.format(first=marker[:10], rest=marker[10:])
    )
    try:
        await seen(marker)
        below = psutil.Process(host.pid).children(recursive=True)
        assert len(below) >= 6
    finally:
        host.kill()
        await host.wait()
    await eventually(lambda: not any(child.is_running() for child in below))
    # Its control groups go when the next host starts.
    find_parent()
    assert not [path for path, *_ in os.walk("/sys/fs/cgroup") if f"-{host.pid}-" in os.path.basename(path)]
    assert Holdings.now().mounts == mounts


# What one run knew, no later one learns.

SCAN = """
import glob, hashlib, os, sys
prefix, digest, size = {prefix!r}, {digest!r}, {size}
def finds(data, where):
    at = data.find(prefix)
    while at >= 0:
        if hashlib.sha256(data[at:at + size]).hexdigest() == digest: print('found in', where)
        at = data.find(prefix, at + 1)
scanned = 0
with open('/proc/self/mem', 'rb', 0) as memory:
    for line in open('/proc/self/maps').read().splitlines():
        span, rights, *_ = line.split()
        if rights[0] == 'r' and '[v' not in line:
            start, end = (int(word, 16) for word in span.split('-'))
            memory.seek(start)
            try: data = memory.read(end - start)
            except OSError: continue
            scanned += len(data)
            finds(data, 'memory')
            del data
for folder, _, names in [*os.walk('/tmp', followlinks=False), *os.walk('/dev/shm')]:
    for name in names:
        path = os.path.join(folder, name)
        finds(os.fsencode(path), 'a name')
        if os.path.isfile(path): finds(open(path, 'rb').read(), 'a file')
for path in glob.glob('/proc/[0-9]*/*'):
    if os.path.basename(path) in ('cmdline', 'environ', 'comm'):
        try: finds(open(path, 'rb').read(), path)
        except OSError: pass
print('scanned', scanned > 10_000_000)
"""


def scan_for(secret: str) -> str:
    """Code that looks for a secret without holding it: only for its beginning, and its hash."""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return SCAN.format(prefix=secret[:6].encode(), digest=digest, size=len(secret))


async def by_code(pool: Any, secret: str) -> None:
    code = f"import os; x = os.environ['X'] = '{secret}' * 999; print(x); open('{secret}', 'w').write(x)"
    assert (await pool.run(code=code, files={"in": secret.encode()})).ok


async def by_a_session(pool: Any, secret: str) -> None:
    async with pool.session(files={"in": secret.encode()}) as session:
        assert (await session.step(f"x = '{secret}' * 10_000; print(x); open('a', 'w').write(x)")).ok
        assert (await session.run(code=f"print('{secret}')")).ok
        await session.write(secret, secret.encode())


async def by_a_killed_run(pool: Any, secret: str) -> None:
    code = f"import time; x = '{secret}' * 10_000; open('a', 'w').write(x); print(x); time.sleep(60)"
    assert (await pool.run(code=code, limits=Limits(wall_seconds=0.2))).status == "timeout"


async def by_large_code(pool: Any, secret: str) -> None:
    assert (await pool.run(code=f"x = '''{(secret + chr(10)) * 50_000}'''")).ok


async def by_shell(pool: Any, secret: str) -> None:
    script = f"X={secret}; export X; echo $X > /dev/shm/x; exec sh -c 'echo $X' {secret}"
    assert (await pool.run(shell=script)).ok


@pytest.mark.parametrize("user", ["own", "unprivileged"])
async def test_a_later_run_finds_nothing_of_an_earlier_one(user: str) -> None:
    async with pool_of(user, "auto", slots=1) as pool:
        for leave in (by_code, by_a_session, by_a_killed_run, by_large_code, by_shell):
            secret = secrets.token_hex(16)
            scan = scan_for(secret)
            plant = f"planted = '{secret}'\nopen('planted', 'w').write(planted)\n"
            planted = await pool.run(code=plant + scan)
            assert "found in memory" in planted.stdout
            assert "found in a file" in planted.stdout
            await leave(pool, secret)
            for fresh in (False, True):
                later = await pool.run(code=scan, fresh=fresh)
                assert later.stdout == "scanned True\n", (leave, later)
            async with pool.session() as session:
                assert (await session.step(scan)).stdout == "scanned True\n"
