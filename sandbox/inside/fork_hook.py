"""What python runs in every new process, kept from costing each run."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing typing for it would take a millisecond
if TYPE_CHECKING:
    from typing import Any


class ThreadingForkHook:
    """What `threading` does in each new process: it makes locks anew that another thread may have held.

    Init has no other thread, and the hook costs every fork of it 0.3 ms: so it does nothing in init, and is
    itself again in a runner, whose program may fork with threads.
    """

    def __init__(self) -> None:
        self.hook: Any = getattr(sys.modules.get("threading"), "_after_fork", None)
        self.code = getattr(self.hook, "__code__", None)

    def disable(self) -> None:
        if self.code:
            self.hook.__code__ = (lambda: None).__code__

    def enable(self) -> None:
        if self.code:
            self.hook.__code__ = self.code
