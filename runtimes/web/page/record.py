"""The record of one step on a page, filled while the step goes on. What a record holds is `WebRecord`'s."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runtimes.contracts import WebRecord
from runtimes.errors import InfrastructureError, PlatformError, ToolError

if TYPE_CHECKING:
    from runtimes.web.observation.observer import Observation
    from runtimes.web.observation.targets import Target
    from runtimes.web.page.watch import Watch


class Recorder:
    """Fills the record of one step.

    Use it as a context manager around the step: leaving it, however the step ended, completes the record
    with the fault's class, the address and everything that `watch` saw since the last record. `fault` is
    what the step failed with.
    """

    def __init__(self, watch: Watch) -> None:
        self.record = WebRecord(tab=watch.tab, url_before=watch.page.url)
        self.fault: PlatformError | None = None
        self._watch = watch

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, _: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, PlatformError):
            self.fault = error
            self.record.error_class = error_class_of(error)
        elif error is not None:
            self.record.error_class = "other"  # the task's time limit, or a cancellation
        self.record.url_after = self._watch.page.url
        seen = self._watch.take_events()
        self.record.dialogs = seen.dialogs
        self.record.downloads = seen.downloads
        self.record.popups = [page.url for page in seen.popups]
        self.record.blocked = seen.blocked

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Count what is done meanwhile to `part` of the step."""
        clock = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - clock) * 1000
            self.record.timings_ms[part] = round(self.record.timings_ms.get(part, 0.0) + spent, 1)

    def aimed(self, target: Target) -> None:
        """The element the step is done to."""
        self.record.ref, self.record.locator, self.record.box = target.ref, target.selector, target.box

    def observed(self, observation: Observation) -> None:
        # Refs count the elements a browser has met: another one that shows the same has others.
        seen = observation.readable.encode("utf-8", "replace")
        self.record.snapshot = hashlib.sha256(seen).hexdigest()
        self.record.page_changed = observation.changed


def error_class_of(error: PlatformError) -> str:
    """The finer class of a fault, as records have it."""
    if isinstance(error, InfrastructureError):
        return "crashed"
    return (isinstance(error, ToolError) and error.error_class) or "other"
