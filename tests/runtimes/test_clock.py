"""The time limit of an episode: what counts against it and what does not."""

from __future__ import annotations

import asyncio

import pytest

from runtimes.builtin import ReasoningRuntime
from runtimes.clock import Clock
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from sandbox import SandboxPool
from tests.runtimes.scripted import ScriptedModel, call, finishes, reasoning_task, says
from tests.runtimes.web.episodes import SHOP, web_task


async def test_what_takes_longer_is_ended_and_the_time_is_over() -> None:
    clock = Clock()
    with pytest.raises(TimeoutError):
        async with clock.limited(0.01):
            await asyncio.Event().wait()
    assert clock.is_over


async def test_what_is_waited_for_while_it_stands_does_not_count() -> None:
    clock = Clock()
    async with clock.limited(0.2):
        with clock.stopped(), clock.stopped():
            await asyncio.sleep(0.3)
        await asyncio.sleep(0.01)
        assert not clock.is_over


async def test_it_goes_on_after_a_wait_that_failed() -> None:
    clock = Clock()

    async def work() -> None:
        with pytest.raises(ZeroDivisionError), clock.stopped():
            raise ZeroDivisionError
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with clock.limited(0.05):
            await work()


async def test_what_is_counted_afterwards_counts() -> None:
    clock = Clock()

    async def work() -> None:
        clock.spend(59)
        assert not clock.is_over
        clock.spend(2)
        assert clock.is_over
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with clock.limited(60):
            await work()


async def test_without_a_limit_it_does_nothing() -> None:
    clock = Clock()
    with clock.stopped():
        clock.spend(100)
    assert not clock.is_over


async def test_waiting_for_a_free_page_is_not_the_tasks_time() -> None:
    model = ScriptedModel(says(None, call("goto", {"url": "/coupon"})), finishes())
    task = reasoning_task(timeout=2, expected_tools=["browser"])
    pool = BrowserPool(max_contexts=1, start_url=SHOP)
    async with Services(model, SandboxPool(slots=1), pool) as services:
        async with pool.page(web_task()):
            running = asyncio.create_task(ReasoningRuntime(services).execute(task))
            await asyncio.sleep(2.1)
            assert not running.done()
        trajectory = await running
    assert (trajectory.final_result, trajectory.error_type) == ("done", None)
