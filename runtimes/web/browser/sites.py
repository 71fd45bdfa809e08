"""Web sites that this process serves itself, under made-up names that no DNS knows.

Whoever opens a browser context hands them to its proxy, which leads the names there: `egress/proxy.py`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Protocol, Self

from aiohttp import web

LocalSites = Mapping[str, int]
"""Names, lower case (`{"shop.test": 41207}`), each with its port on 127.0.0.1; http on port 80 to a page."""


class LocalSite(Protocol):
    """A site under a name that no DNS knows, such as shop.test. Inside its context it listens at `port`."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int:
        """Of 127.0.0.1."""

    async def __aenter__(self) -> object: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool | None: ...


class AppSite(ABC):
    """A LocalSite that is one aiohttp application, on a free port of 127.0.0.1 while the context lasts."""

    host: str

    def __init__(self) -> None:
        self.port = 0
        self._runner: web.AppRunner | None = None

    @abstractmethod
    def app(self) -> web.Application:
        """A new application, made as the context is entered; what it raises entering raises."""

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


class SiteServers:
    """Opens `sites` when their ports are first asked for, once for all who ask, and closes them."""

    def __init__(self, sites: Sequence[LocalSite]) -> None:
        self._sites = sites
        self._open = AsyncExitStack()
        self._opening: asyncio.Task[dict[str, int]] | None = None

    async def ports(self) -> LocalSites:
        """Host to port. Raises what a site raises that cannot be served; the next caller tries again."""
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.create_task(self._enter())
        # Half a site would be left where the first caller is cancelled.
        return await asyncio.shield(self._opening)

    async def close(self) -> None:
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
            self._opening = None
        await self._open.aclose()

    async def _enter(self) -> dict[str, int]:
        async with AsyncExitStack() as opening:
            for site in self._sites:
                await opening.enter_async_context(site)
            self._open = opening.pop_all()
        return {site.host: site.port for site in self._sites}
