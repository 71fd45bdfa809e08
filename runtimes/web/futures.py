"""What every room of the web runtime needs of asyncio and asyncio has not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


def may_fail_unheard(future: asyncio.Future[Any]) -> None:
    """Let a future that nobody may come to await fail without asyncio complaining of it."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await `work` also while being cancelled, however often: what is half closed would stay."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        may_fail_unheard(task)
        raise cancelled
    task.result()
