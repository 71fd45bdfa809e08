"""Python's garbage collector while many episodes share a loop: rare, and never over what was there before."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (10_000, 20, 10)
"""As `gc.set_threshold` has them."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let the collector go over new objects only, and seldom, as long as this lasts.

    A full collection over all that Dagster and its like have imported takes a third of a second, for which
    every episode of the process stands still; in a round of a thousand tasks there were six. What is to be
    freed by counting references, nearly all, is freed as ever.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
