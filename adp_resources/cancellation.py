"""Stopping work on one asyncio loop at once: when somebody asks, or the process gets a signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from runtimes.errors import PlatformError

log = logging.getLogger(__name__)
T = TypeVar("T")

POLL_SECONDS = 0.5
MOST_FAILED_POLLS = 20
"""So many unanswered questions in a row, ten seconds, mean that a cancel could not be heard any more."""


class RoundCancelled(PlatformError):
    """A person asked for the round to stop; what had finished is in the journal."""

    def __init__(self) -> None:
        super().__init__("The round was cancelled.", "Run it again to go on where it stopped.")


def run_stoppable(work: Callable[[], Coroutine[Any, Any, T]], cancelled: Callable[[], bool]) -> T:
    """Run `work()` on a loop of its own to its end, and give its result.

    `cancelled` is asked first of all and then twice a second. When it says so, or on SIGINT or SIGTERM, the
    work is cancelled, its own clean-up awaited, and RoundCancelled raised.
    """
    if cancelled():
        raise RoundCancelled()
    return asyncio.run(_until_stopped(work(), cancelled))


async def _until_stopped(work: Coroutine[Any, Any, T], cancelled: Callable[[], bool]) -> T:
    signalled = asyncio.Event()
    working = asyncio.create_task(work)
    stops = (asyncio.create_task(_until(cancelled)), asyncio.create_task(signalled.wait()))
    try:
        with _hearing_signals(signalled):
            await asyncio.wait({working, *stops}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped = not working.done()
        for task in (working, *stops):
            task.cancel()
        await asyncio.gather(working, *stops, return_exceptions=True)
    if stopped:
        raise RoundCancelled()
    return working.result()


async def _until(cancelled: Callable[[], bool]) -> None:
    """Return once `cancelled` says so; a question that fails is asked again."""
    failed = 0
    while failed < MOST_FAILED_POLLS:
        try:
            if await asyncio.to_thread(cancelled):
                return
            failed = 0
        except Exception:
            failed += 1
            log.warning("could not ask whether the round was cancelled", exc_info=True)
        await asyncio.sleep(POLL_SECONDS)


@contextlib.contextmanager
def _hearing_signals(heard: asyncio.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set `heard` while the block runs.

    Dagster's own handlers raise in whatever code is running, which asyncio would take for an episode's
    failure; they are put back on leaving.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, heard.set)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
