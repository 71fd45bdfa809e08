"""Waiting for what another process is about to do: by looking, never by sleeping a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_SECONDS = 0.1


def until(look: Callable[[], T | None], what: str, *, seconds: float = 60) -> T:
    """The first truthy thing that `look` gives. Raises TimeoutError naming `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:g} s for {what}.")
        time.sleep(LOOK_SECONDS)
    return found
