"""The circuit breaker: when it opens, whom it lets through on trial, and what counts."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress

import pytest

from runtimes.breaker import Breaker, BreakerOpen


class Down(Exception):
    pass


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def breaker(clock: Clock, **options: float) -> Breaker:
    given = {"threshold": 0.5, "window_seconds": 60.0, "least_calls": 4, "open_seconds": 30.0}
    return Breaker(clock=clock, **{**given, **options})  # type: ignore[arg-type]


def call(breaker: Breaker, error: type[BaseException] | None = None) -> None:
    with suppress(Down, KeyError, asyncio.CancelledError), breaker.call(Down):
        if error is not None:
            raise error


def opened(clock: Clock) -> Breaker:
    made = breaker(clock)
    for _ in range(4):
        call(made, Down)
    return made


def test_a_call_that_is_tried_again_fails_once_and_is_refused_like_any_other(clock: Clock) -> None:
    guard = breaker(clock)
    for _ in range(10):
        with suppress(Down), guard.call(Down, again=True):
            raise Down
    assert guard.state == "closed"
    for _ in range(4):
        call(guard, Down)
    with pytest.raises(BreakerOpen), guard.call(Down, again=True):
        raise AssertionError("the call was made")


def test_a_trial_that_is_a_call_tried_again_tells_as_much_as_any(clock: Clock) -> None:
    guard = opened(clock)
    clock.now += 30
    with suppress(Down), guard.call(Down, again=True):
        raise Down
    assert guard.state == "open"


def test_it_opens_when_half_of_the_calls_failed_and_says_when_to_come_back(clock: Clock) -> None:
    guard = breaker(clock)
    for error in (None, None, Down):
        call(guard, error)
    assert guard.state == "closed"
    call(guard, Down)
    assert guard.state == "open"
    clock.now += 12
    with pytest.raises(BreakerOpen) as refused, guard.call(Down):
        raise AssertionError("the call was made")
    assert refused.value.retry_in == 18


def test_a_few_calls_say_nothing_yet(clock: Clock) -> None:
    guard = breaker(clock)
    for _ in range(3):
        call(guard, Down)
    assert guard.state == "closed"


def test_failures_count_for_as_long_as_the_window(clock: Clock) -> None:
    guard = breaker(clock)
    for _ in range(3):
        call(guard, Down)
    clock.now += 66
    call(guard, Down)
    assert guard.state == "closed"


def test_failures_spread_over_the_window_add_up(clock: Clock) -> None:
    guard = breaker(clock)
    for _ in range(4):
        call(guard, Down)
        clock.now += 14
    assert guard.state == "open"


def test_a_success_does_not_open_it(clock: Clock) -> None:
    guard = breaker(clock, threshold=0.75)
    for error in (Down, Down, Down, None):
        call(guard, error)
    assert guard.state == "closed", "it would by the share, but the last call went well"


def test_other_exceptions_are_answers_and_a_cancellation_is_neither(clock: Clock) -> None:
    guard = breaker(clock)
    for error in itertools.islice(itertools.cycle((KeyError, Down, asyncio.CancelledError, KeyError)), 40):
        call(guard, error)
    assert guard.state == "closed", "10 of 30 failed"


def test_one_trial_at_a_time_is_let_through_and_closes_it(clock: Clock) -> None:
    guard = opened(clock)
    clock.now += 30
    assert guard.state == "half_open"
    with guard.call(Down), pytest.raises(BreakerOpen) as refused, guard.call(Down):
        raise AssertionError("two trials at a time")
    assert 0 < refused.value.retry_in <= 30
    assert guard.state == "closed"
    call(guard, Down)
    assert guard.state == "closed", "what failed before the trial is forgotten"


def test_a_trial_that_fails_opens_it_for_another_turn(clock: Clock) -> None:
    guard = opened(clock)
    clock.now += 31
    call(guard, Down)
    assert guard.state == "open"
    clock.now += 29
    assert guard.state == "open"
    clock.now += 1
    assert guard.state == "half_open"


def test_a_cancelled_trial_gives_its_turn_to_the_next(clock: Clock) -> None:
    guard = opened(clock)
    clock.now += 30
    call(guard, asyncio.CancelledError)
    assert guard.state == "half_open"
    call(guard)
    assert guard.state == "closed"


def test_what_was_under_way_when_it_opened_changes_nothing(clock: Clock) -> None:
    guard = breaker(clock)
    with guard.call(Down):
        for _ in range(4):
            call(guard, Down)
    assert guard.state == "open"


def test_a_long_good_time_does_not_hide_a_bad_minute(clock: Clock) -> None:
    guard = breaker(clock)
    for _ in range(5000):
        call(guard)
        clock.now += 0.1
    for _ in range(5):
        call(guard, Down)
        clock.now += 0.1
    assert guard.state == "closed", "five of six hundred"
    failed = 5
    while guard.state == "closed":
        call(guard, Down)
        failed += 1
        clock.now += 0.1
    assert 250 < failed < 350, "half of the last minute's"
