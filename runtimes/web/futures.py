"""What every room of the web runtime needs of asyncio and asyncio has not."""

from __future__ import annotations

import asyncio
from typing import Any


def may_fail_unheard(future: asyncio.Future[Any]) -> None:
    """Let a future that nobody may come to await fail without asyncio complaining of it."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
