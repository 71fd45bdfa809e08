"""The same sandbox for a user without rights, whose slots all belong to one user of the host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from sandbox import Limits, SandboxError
from tests.sandbox.conftest import ON_ONE_LOOP, alive, lingering, seen
from tests.sandbox.hosts import pool_of

pytestmark = ON_ONE_LOOP


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[Any]:
    async with pool_of("unprivileged", "auto", slots=4) as pool:
        yield pool


async def test_it_proves_its_walls(pool: Any) -> None:
    await pool.check()


async def test_sessions_work(pool: Any) -> None:
    async with pool.session(limits=Limits(cpu_seconds=1)) as session:
        await session.write("a.txt", b"kept")
        assert (await session.run(code="print(open('a.txt').read())")).stdout == "kept\n"
        await session.step("x = 1; open('b.txt', 'w').write('stepped')")
        assert await session.read("b.txt") == b"stepped"
        assert await session.listdir() == ["a.txt", "b.txt"]
        branch = await (await session.snapshot()).branch()
        await branch.step("x += 1")
        assert [(await place.step("x")).stdout for place in (session, branch)] == ["1\n", "2\n"]
        assert (await session.run(code="while True: pass")).status == "cpu_limit"
        assert (await session.step("print(x)")).stdout in ("1\n", "")
        assert await session.read("a.txt") == b"kept"


async def test_each_run_may_start_all_its_processes_whatever_the_others_do(pool: Any) -> None:
    # The limit is counted for the user, in each slot's own user namespace: so none counts for another.
    code = """
import os, time
started = 0
try:
    while True:
        if os.fork() == 0: time.sleep(60)
        started += 1
except BlockingIOError:
    time.sleep(0.3)
    print(started)
"""
    results = await asyncio.gather(*(pool.run(code=code) for _ in range(4)))
    assert [result.stdout for result in results] == ["9\n"] * 4


async def test_runs_cannot_touch_each_other_though_they_have_one_user(pool: Any, marker: str) -> None:
    victim = asyncio.create_task(pool.run(argv=lingering(marker), limits=Limits(wall_seconds=20)))
    await seen(marker)
    (pid,) = alive(marker)[:1]
    attack = f"""
import os
print([name for name in os.listdir('/proc') if name.isdigit() and int(name) > 50])
for target in ({pid}, -1):
    try: os.kill(target, 9)
    except OSError as error: print(type(error).__name__)
"""
    result = await pool.run(code=attack)
    assert pid in alive(marker)
    assert "ProcessLookupError" in result.stdout, result
    victim.cancel()


async def test_locked_folders_are_collected_and_cleared_away(pool: Any) -> None:
    code = "import os; os.mkdir('a'); open('a/b', 'w').write('x')\nfor p in ('a/b', 'a', '.'): os.chmod(p, 0)"
    result = await pool.run(code=code, outputs=("*",))
    assert [(file.path, file.data) for file in result.files] == [("a/b", b"x")]
    assert (await pool.run(code="open('a', 'w'); print('free')")).stdout == "free\n"


async def test_errors_arrive_as_they_are(pool: Any) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        await pool.run()
    with pytest.raises(ValueError, match="workspace"):
        await pool.run(code="", files={"../x": b""})
    async with pool.session() as session:
        pass
    with pytest.raises(SandboxError, match="closed"):
        await session.step("1")
