"""Work that is told to stop, by a question that turns true or by a signal."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from adp_resources import cancellation
from adp_resources.cancellation import RoundCancelled, run_stoppable


def test_work_that_is_not_stopped_gives_its_result() -> None:
    async def work() -> int:
        return 7

    assert run_stoppable(work, lambda: False) == 7


def test_work_that_was_cancelled_before_it_began_does_not_begin() -> None:
    begun = []

    async def work() -> None:
        begun.append(1)

    with pytest.raises(RoundCancelled):
        run_stoppable(work, lambda: True)
    assert not begun


def test_a_cancel_ends_work_that_would_wait_for_ever_and_lets_it_clean_up() -> None:
    begun, cleaned = threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    with pytest.raises(RoundCancelled):
        run_stoppable(work, begun.is_set)
    assert cleaned.is_set()


def test_a_signal_ends_the_work_and_the_handler_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    with pytest.raises(RoundCancelled):
        run_stoppable(work, lambda: False)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_question_that_fails_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancellation, "POLL_SECONDS", 0.01)
    answers = iter([False, OSError("locked"), OSError("locked"), False, True])
    asked = []

    def cancelled() -> bool:
        answer = next(answers)
        asked.append(answer)
        if isinstance(answer, OSError):
            raise answer
        return answer

    with pytest.raises(RoundCancelled):
        run_stoppable(lambda: asyncio.Event().wait(), cancelled)
    assert len(asked) == 5
