"""How many calls are in flight: what a provider's refusals teach, and that no call is lost by them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

import pytest

from runtimes.llm.pace import FIRST_LIMIT, HOPELESS_SECONDS, NoRoom, Pace, RateLimited
from tests.llm_server.process import llm_server
from tests.runtimes.llm.serving import ASK, GOOD, chat, gives, refuses, serving

CAP = 48
CALLS = 1500


async def test_a_server_that_takes_48_at_a_time_refuses_few_calls_and_none_is_lost() -> None:
    with llm_server("steps", delay_ms=300, cap=CAP) as server:
        model = chat(server.url)
        calls = iter(range(CALLS))

        async def member() -> int:
            return sum([bool(await model.complete(ASK)) for _ in calls])

        answered = sum(await asyncio.gather(*(member() for _ in range(256))))
        await model.aclose()
        stats = server.stats()
    assert answered == stats["replies"]["200"] == CALLS
    assert 0 < stats["replies"]["429"] <= 0.02 * CALLS
    assert stats["max_in_flight"] < FIRST_LIMIT * 2


async def settled() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


class Crowd:
    """Calls that wait for room at `pace` and end when the test says so."""

    def __init__(self, pace: Pace, count: int) -> None:
        self.pace = pace
        self.inside: list[asyncio.Future[None]] = []
        self.came = asyncio.Event()
        self.tasks = [asyncio.create_task(self._call()) for _ in range(count)]

    async def _call(self) -> None:
        again = False
        while True:
            try:
                async with self.pace.slot(again=again):
                    end = asyncio.get_running_loop().create_future()
                    self.inside.append(end)
                    self.came.set()
                    return await end
            except RateLimited:
                again = True

    async def answer(self, count: int = 1) -> None:
        """End the oldest calls inside well."""
        for _ in range(count):
            self.inside.pop(0).set_result(None)
            await settled()

    async def answer_until(self, condition: Callable[[], bool]) -> int:
        """How many of the oldest calls inside were ended until it came true."""
        for count in itertools.count(1):
            await self.answer()
            if condition():
                return count
        raise AssertionError("unreachable")

    async def refuse(self, retry_after: float | None = None) -> None:
        """Refuse the youngest call inside."""
        self.inside.pop().set_exception(RateLimited("full", retry_after))
        await settled()

    async def leave(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_the_limit_grows_by_a_quarter_a_round_until_the_first_refusal_halves_it() -> None:
    crowd = Crowd(Pace(), 400)
    await settled()
    assert len(crowd.inside) == FIRST_LIMIT
    await crowd.answer(FIRST_LIMIT)
    assert crowd.pace.limit == len(crowd.inside) == FIRST_LIMIT * 5 // 4
    await crowd.refuse()
    assert crowd.pace.limit == (FIRST_LIMIT * 5 // 4 - 1) // 2
    await crowd.leave()


async def test_the_limit_does_not_grow_where_nobody_waits_and_never_beyond_the_most() -> None:
    few = Crowd(Pace(), FIRST_LIMIT - 1)
    many = Crowd(Pace(most=FIRST_LIMIT + 2), 400)
    await settled()
    await few.answer(20)
    await many.answer(20)
    assert few.pace.limit == FIRST_LIMIT
    assert many.pace.limit == len(many.inside) == FIRST_LIMIT + 2
    await many.leave()
    await few.leave()


async def test_refusals_of_one_crowd_halve_the_limit_once() -> None:
    crowd = Crowd(Pace(), 400)
    await settled()
    for _ in range(4):
        await crowd.refuse()
    assert crowd.pace.limit == (FIRST_LIMIT - 1) // 2
    await crowd.leave()


async def test_after_a_refusal_the_limit_is_soon_what_was_taken_and_seldom_more() -> None:
    crowd = Crowd(Pace(), 4000)
    pace = crowd.pace
    await settled()
    for _ in range(4):
        await crowd.refuse()
    taken = FIRST_LIMIT - 4
    await crowd.answer(2 * FIRST_LIMIT)
    assert len(crowd.inside) == pace.limit == taken

    first = await crowd.answer_until(lambda: pace.limit != taken)
    assert pace.limit == taken + 1
    assert first > 4 * taken
    await crowd.refuse()
    assert pace.limit == taken, "the step beyond is taken back, and no more"
    second = await crowd.answer_until(lambda: pace.limit != taken)
    assert second > 1.5 * first, "the next one comes later"
    third = await crowd.answer_until(lambda: pace.limit != taken + 1)
    assert pace.limit == taken + 3, "one that goes well is followed by a larger one"
    assert third < first
    await crowd.leave()


async def test_after_a_refusal_nobody_starts_until_another_call_is_answered() -> None:
    crowd = Crowd(Pace(), 100)
    await settled()
    for _ in range(FIRST_LIMIT - 4):
        await crowd.refuse()
    assert len(crowd.inside) == 4
    await crowd.answer()
    assert len(crowd.inside) > 4
    await crowd.leave()


async def test_a_refused_call_goes_before_those_that_wait() -> None:
    order: list[str] = []
    pace = Pace(most=1, pause=0.001)

    async def call(name: str, refusals: int) -> None:
        for left in range(refusals, -1, -1):
            try:
                async with pace.slot(again=left < refusals):
                    await asyncio.sleep(0)
                    if left:
                        raise RateLimited("full")
                    order.append(name)
            except RateLimited:
                continue

    await asyncio.gather(call("first", 2), call("second", 0), call("third", 0))
    assert order == ["first", "second", "third"]


async def test_cancelled_calls_give_their_room_and_their_place_back() -> None:
    pace = Pace(most=1)
    crowd = Crowd(pace, 3)
    await settled()
    for task in crowd.tasks[:2]:
        task.cancel()
    await settled()
    assert len(crowd.inside) == 2, "the third is inside, the first was"
    crowd.inside[1].set_result(None)
    await crowd.tasks[2]
    assert pace.in_flight == 0


async def test_a_call_cancelled_at_the_moment_it_is_let_in_leaves_room_for_the_next() -> None:
    crowd = Crowd(Pace(most=1), 3)
    await settled()
    crowd.inside.pop().set_result(None)
    await asyncio.sleep(0)
    crowd.tasks[1].cancel()
    await settled()
    crowd.inside[-1].set_result(None)
    await asyncio.wait_for(crowd.tasks[2], 5)


async def test_a_pause_asked_for_holds_all_calls_whatever_is_answered_meanwhile() -> None:
    crowd = Crowd(Pace(), 100)
    clock = asyncio.get_running_loop()
    await settled()
    began = clock.time()
    await crowd.refuse(retry_after=0.2)
    await crowd.answer(20)
    assert len(crowd.inside) == FIRST_LIMIT - 21, "nobody came in"
    crowd.came.clear()
    await crowd.came.wait()
    assert clock.time() - began >= 0.2
    await crowd.leave()


async def test_a_pause_asked_for_by_a_failing_server_holds_all_calls_too() -> None:
    async with serving(refuses(503, Retry_After_Ms="300"), gives(GOOD)) as (_, model):
        failing = asyncio.create_task(model.complete(ASK))
        while not model.last_fault:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.001)
        began = time.monotonic()
        others = [asyncio.create_task(model.complete(ASK)) for _ in range(3)]
        await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        assert time.monotonic() - began >= 0.2
        assert (await failing).message["content"] == "Hi."
        await asyncio.gather(*others)


async def test_a_refusal_that_comes_before_one_let_in_goes_on_is_not_its_own() -> None:
    pace = Pace(most=2)
    first = [await pace.enter(), await pace.enter()]
    waiting = asyncio.create_task(pace.enter())
    await settled()
    pace.leave()
    pace.refused(first[1], None)
    assert await waiting == first[0], "let in before the cut, of the same crowd"


@pytest.mark.parametrize("headers", [{}, {"Retry_After": "0"}])
async def test_refusals_cost_no_try(headers: dict[str, str]) -> None:
    refusals = [refuses(429, **headers)] * 5
    async with serving(*refusals, gives(GOOD)) as (served, model):
        reply = await model.complete(ASK)
    assert reply.message["content"] == "Hi."
    assert len(served.requests) == 6


async def test_nobody_waits_for_a_provider_that_asks_for_a_long_pause() -> None:
    async with serving(refuses(429, Retry_After="3600")) as (served, model):
        waiting = [asyncio.create_task(model.complete(ASK)) for _ in range(FIRST_LIMIT + 5)]
        done, _ = await asyncio.wait(waiting)
    assert all("rate limited for long" in str(task.exception()) for task in done)
    assert len(served.requests) <= FIRST_LIMIT, "those that waited were sent away unasked"


async def test_a_provider_that_is_only_slow_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtimes.llm.pace.HOPELESS_SECONDS", 1e-9)
    crowd = Crowd(Pace(), 100)
    await settled()
    await crowd.refuse()
    assert not any(task.done() for task in crowd.tasks), "the others in flight were taken"
    await crowd.answer(FIRST_LIMIT - 1)
    assert sum(task.done() for task in crowd.tasks) == FIRST_LIMIT - 1
    await crowd.leave()


async def test_a_provider_that_refuses_everything_for_long_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pace = Pace(pause=0.001)
    monkeypatch.setattr("runtimes.llm.pace.HOPELESS_SECONDS", 0.0)
    with pytest.raises(RateLimited):
        async with pace.slot():
            raise RateLimited("full")
    with pytest.raises(NoRoom):
        async with pace.slot():
            raise AssertionError("let in")
    assert HOPELESS_SECONDS > 0
