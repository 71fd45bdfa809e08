"""Outages: a provider that gives no usable reply any more is told of once, and once more when it is back.

Only the telling, by this module's log, which `adp run` shows to whoever waits. What is tried again is said by
`retry`, who is left alone by `runtimes.breaker`: one opens after many failures, which may take minutes.
"""

from __future__ import annotations

import asyncio
import logging
import time

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 20.0
"""Longer than a request's tries and waits take, and short for a person before a bar that stands still."""
FIRST_PATIENCE_SECONDS = 3.0
"""The same of one that never answered: its address is more likely wrong than the provider down."""


class Outage:
    """Begins with a failed try, ends with the next answer; told of when it has lasted `patience` seconds.

    `name` is what the log calls the provider. For one event loop until it is closed.
    """

    def __init__(
        self,
        name: str,
        *,
        patience: float = PATIENCE_SECONDS,
        first_patience: float = FIRST_PATIENCE_SECONDS,
    ) -> None:
        self._name = name
        self._patience = patience
        self._first_patience = first_patience
        self._began = 0.0
        self._fault = ""
        self._told = False
        self._timer: asyncio.TimerHandle | None = None

    def failed(self, fault: str, *, ever_answered: bool) -> None:
        """A try ended without a usable reply; `fault` is why."""
        self._fault = fault
        if self._timer is None:
            self._began = time.time()
            patience = self._patience if ever_answered else self._first_patience
            self._timer = asyncio.get_running_loop().call_later(patience, self._tell)

    def answered(self) -> None:
        """The provider answered, if only that it takes no more calls for now."""
        if self._timer is None:
            return
        if self._told:
            log.warning("%s answers again, after %.0f s.", self._name, time.time() - self._began)
        self.close()

    def close(self) -> None:
        """Forget it: nobody asks any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._told = None, False

    def _tell(self) -> None:
        self._told = True
        since = time.strftime("%H:%M:%S", time.localtime(self._began))
        log.warning(
            "%s has not answered since %s: %s. Its calls are tried again; Ctrl-C keeps what is finished.",
            self._name,
            since,
            self._fault,
        )
