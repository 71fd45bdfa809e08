"""Playwright's own trace of one episode's context, kept only where something is to be found out from it.

`playwright show-trace FILE` opens one. It costs about a fifth of a step, so nobody traces unasked.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext

log = logging.getLogger(__name__)

STOP_SECONDS = 30.0
"""The longest that writing a trace may hold up the end of an episode."""


def trace_path(folder: Path, round: str, task_id: str, sample: int) -> Path:
    """Where the trace of one sample is kept: `<folder>/<round>/<task_id>-<sample>.zip`."""
    return folder / (round or "no-round") / f"{task_id}-{sample}.zip"


class Tracing:
    """The trace of `context`, from `start` to `keep`, both while the context is open.

    A trace is for looking into an episode and never changes how it ended: where it cannot be taken or
    written, the log says so. `keep` does nothing without `start`, and nothing the second time; what is not
    kept goes with the context.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self._going = False

    async def start(self) -> None:
        """Begin, best before the context's first page."""
        from playwright.async_api import Error

        try:
            await self.context.tracing.start(screenshots=True, snapshots=True)
            self._going = True
        except Error as error:
            log.warning("no trace of an episode: %s", error.message)

    async def keep(self, path: Path) -> Path | None:
        """End the trace and write it to `path`, never half of it. None where it could not be written."""
        from playwright.async_api import Error

        if not self._going:
            return None
        self._going = False
        temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            async with asyncio.timeout(STOP_SECONDS):
                await self.context.tracing.stop(path=temporary)
            temporary.replace(path)
        except (Error, OSError, TimeoutError) as error:
            log.warning("no trace %s: %s", path, str(error).strip() or "the browser did not answer")
            return None
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        return path
