"""Names to addresses, for proxies. What may be done with an address is `addresses.py`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name, for a port. Raises OSError where there are none."""

_THREADS = 4
_NAMES = 10_000


class SystemLookups:
    """The machine's resolver, in threads of its own: slow names must not take up the event loop's."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, "egress-lookup")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [str(address[0]) for *_, address in found]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class PinnedLookups:
    """Keeps the first addresses of each name, so that a name cannot come to mean another machine later.

    A name without an address is asked for again. Beyond `_NAMES` names no new one is found.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._found: dict[str, Sequence[str]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        if host not in self._found:
            if len(self._found) >= _NAMES:
                raise OSError("too many names were looked up")
            addresses = await self._resolve(host, port)
            if not addresses:
                return addresses
            self._found.setdefault(host, addresses)  # of two look-ups at a time too, the first answer stays
        return self._found[host]
