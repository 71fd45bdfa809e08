"""What browsers use is measured, and contexts are let in by it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from runtimes.web.browser import memory
from runtimes.web.browser.memory import MB, MemoryBudget, Usage, available_mb, used_mb
from runtimes.web.browser.pool import BrowserPool

from .episodes import SHOP, web_task

ALLOCATE_AND_FORK = """
import os
held = b"x" * (64 << 20)
child = os.fork()
print(flush=True)
os.read(0, 1)
"""


def test_pages_that_processes_share_are_counted_once() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", ALLOCATE_AND_FORK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        assert 64 < used_mb([process.pid]) < 100


def test_ended_processes_use_nothing() -> None:
    process = subprocess.Popen(["true"], start_new_session=True)
    process.wait()
    assert used_mb([process.pid], [process.pid]) == 0


def machine(at: Path, cgroup: str, groups: dict[str, dict[str, str]]) -> float:
    """What is available where 1000 MB are and the groups say so."""
    proc, mounted = at / "proc", at / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable: {1000 * 1024} kB\n")
    (proc / "self/cgroup").write_text(cgroup)
    for folder, files in groups.items():
        (mounted / folder).mkdir(parents=True)
        for name, text in files.items():
            (mounted / folder / name).write_text(text)
    return available_mb(proc, mounted)


def test_without_a_limit_the_machine_bounds(tmp_path: Path) -> None:
    unlimited = {"memory.max": "max\n", "memory.current": "5\n", "memory.stat": "inactive_file 1\n"}
    assert machine(tmp_path, "0::/a\n", {"a": unlimited}) == 1000


def test_the_tightest_group_above_bounds_and_cache_counts_as_free(tmp_path: Path) -> None:
    outer = {
        "memory.max": str(300 * MB),
        "memory.current": str(200 * MB),
        "memory.stat": f"anon 1\ninactive_file {50 * MB}\n",
    }
    inner = {
        "memory.max": str(900 * MB),
        "memory.current": str(100 * MB),
        "memory.stat": "inactive_file 0\n",
    }
    assert machine(tmp_path, "0::/outer/inner\n", {"outer": outer, "outer/inner": inner}) == 150


def test_a_container_with_groups_of_version_1_bounds_though_its_path_is_not_seen(tmp_path: Path) -> None:
    own = {
        "memory.limit_in_bytes": str(100 * MB),
        "memory.usage_in_bytes": str(60 * MB),
        "memory.stat": "total_inactive_file 0\n",
    }
    groups = "4:cpu,cpuacct:/docker/12\n3:memory:/docker/12\n0::/\n"
    assert machine(tmp_path, groups, {"memory": own}) == pytest.approx(40)


async def test_what_a_context_uses_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_YOUNG_SECONDS", 0.0), ("_LEAST_AGE_SECONDS", 0.0), ("_SHARE_OF_TIME", 1e9)):
        monkeypatch.setattr(memory, name, value)

    async def measure() -> Usage:
        return Usage(total_mb=100 + 70 * 2, contexts=2, empty_mb=100)

    budget = MemoryBudget(10_000, measure)
    for _ in range(30):
        async with budget.place():
            pass
    assert budget.context_mb == pytest.approx(70, abs=1)


async def test_contexts_that_have_only_begun_do_not_make_others_look_smaller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("_LEAST_AGE_SECONDS", 0.0), ("_SHARE_OF_TIME", 1e9)):
        monkeypatch.setattr(memory, name, value)

    async def measure() -> Usage:
        return Usage(total_mb=100 + 5 * begun, contexts=begun, empty_mb=100)

    begun = 0
    budget = MemoryBudget(10_000, measure)
    async with budget.place():
        begun = 1
        async with budget.place():
            pass
    assert budget.context_mb == memory.FIRST_CONTEXT_MB


async def test_contexts_wait_until_they_fit_in_the_order_they_came() -> None:
    order: list[int] = []
    inside: set[int] = set()

    async def measure() -> Usage:
        return Usage(total_mb=100, contexts=len(inside), empty_mb=100)

    async def episode(number: int) -> None:
        async with budget.place():
            order.append(number)
            inside.add(number)
            assert len(inside) <= 2
            await asyncio.sleep(0)
            inside.remove(number)

    budget = MemoryBudget(100 + 2 * memory.FIRST_CONTEXT_MB, measure)
    await asyncio.gather(*map(episode, range(9)))
    assert order == list(range(9))


async def test_one_that_is_cancelled_while_it_waits_takes_no_room() -> None:
    async def measure() -> Usage:
        return Usage(total_mb=100, contexts=1, empty_mb=100)

    async def enter() -> None:
        async with budget.place():
            entered.append(True)

    entered: list[bool] = []
    budget = MemoryBudget(1, measure)
    async with budget.place():
        waiting = [asyncio.create_task(enter()) for _ in range(2)]
        await asyncio.wait(waiting, timeout=0.05)
        assert entered == []
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
    await waiting[1]
    assert entered == [True]


async def test_one_episode_runs_however_little_memory_there_is_and_others_after_it() -> None:
    at_once = most = 0

    async def episode(pool: BrowserPool) -> None:
        nonlocal at_once, most
        async with pool.page(web_task()) as page:
            at_once += 1
            most = max(most, at_once)
            assert "Welcome to The Shop" in await page.observe()
            at_once -= 1

    async with BrowserPool(max_contexts=3, start_url=SHOP, memory_mb=1) as pool:
        await asyncio.gather(*(episode(pool) for _ in range(3)))
        assert most == 1


async def test_a_grader_never_waits_for_memory() -> None:
    async with (
        BrowserPool(start_url=SHOP, memory_mb=1) as pool,
        pool.page(web_task()),
        pool.grading_page() as page,
    ):
        await page.goto(SHOP)
        assert "Welcome to The Shop" in await page.title()
