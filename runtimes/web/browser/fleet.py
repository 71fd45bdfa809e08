"""The browsers of a pool: one for new contexts, and older ones that only finish what they have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from runtimes.errors import InfrastructureError, PlatformError
from runtimes.web.browser.chromium import Chromium
from runtimes.web.browser.driver import Driver
from runtimes.web.browser.memory import Usage

GROWTH_MB = 200.0
"""How much more a browser without contexts may use than when it was new."""


@dataclass(eq=False)
class _Member:
    """A browser, perhaps still being launched, and what it is used for."""

    launching: asyncio.Task[Chromium]
    contexts: int = 0
    episodes: int = 0
    worn: bool = False
    used_mb: float = 0.0
    empty_mb: float = 0.0
    closing: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def chromium(self) -> Chromium | None:
        """The browser if it was launched."""
        launched = self.launching.done() and not self.launching.cancelled()
        return self.launching.result() if launched and self.launching.exception() is None else None

    @property
    def only_died(self) -> bool:
        """Whether the browser died by itself, and its driver did not."""
        chromium = self.chromium
        return chromium is not None and not self.worn and not chromium.killed and chromium.driver.alive

    @property
    def usable(self) -> bool:
        """Whether new contexts may go to it: it is being launched, or lives and is not worn."""
        if not self.launching.done():
            return True
        return not self.worn and self.chromium is not None and self.chromium.alive


class Fleet:
    """Hands out the current browser, launched when first asked for and replaced when it died or is worn.

    It is worn after `recycle_episodes` episodes, or when it has grown by GROWTH_MB. A replaced browser is
    closed when its last context has gone, never under it.
    """

    def __init__(self, recycle_episodes: int) -> None:
        self._recycle_episodes = recycle_episodes
        self._current: _Member | None = None
        self._members: set[_Member] = set()
        # Outlives a browser that died: to start a driver takes longer than to start a browser.
        self._driver: Driver | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    @asynccontextmanager
    async def browser(self, *, episode: bool) -> AsyncIterator[Chromium]:
        """The browser for one new context. Raises what `Chromium.launch` raises."""
        member = self._usable_member()
        member.contexts += 1
        try:
            # An episode that is cancelled meanwhile must not leave half a browser to nobody.
            chromium = await asyncio.shield(member.launching)
            member.episodes += episode
            member.worn |= member.episodes >= self._recycle_episodes
            yield chromium
        finally:
            member.contexts -= 1
            self._tidy(member)

    async def usage(self) -> Usage:
        """Measure every browser, apart from the loop; one that is empty and has grown is worn from now on."""
        running = {member: member.chromium for member in self._members if member.chromium is not None}
        for member, chromium in running.items():
            contexts = member.contexts
            member.used_mb = await asyncio.to_thread(chromium.used_mb)
            if contexts == member.contexts == 0:
                member.empty_mb = member.used_mb
                member.worn |= member.empty_mb > chromium.empty_mb + GROWTH_MB
        return Usage(
            total_mb=sum(member.used_mb for member in running),
            contexts=sum(member.contexts for member in running),
            empty_mb=sum(member.empty_mb or chromium.empty_mb for member, chromium in running.items()),
        )

    async def close(self) -> None:
        """Close every browser, also under contexts still open."""
        self._closed = True
        self._current = None
        await asyncio.gather(*(self._close(member) for member in self._members))
        self._hold(None)
        await asyncio.gather(*self._leaving)

    def _usable_member(self) -> _Member:
        if self._closed:
            raise InfrastructureError("browser_error", "The browser pool is closed.")
        if self._current is not None:
            self._tidy(self._current)
        if self._current is None:
            if self._driver is not None and not self._driver.alive:
                self._hold(None)  # it died after its browser
            self._current = _Member(asyncio.create_task(self._launch(self._driver)))
            self._members.add(self._current)
        return self._current

    async def _launch(self, driver: Driver | None) -> Chromium:
        chromium = await Chromium.launch(driver)
        self._hold(chromium.driver)
        return chromium

    def _tidy(self, member: _Member) -> None:
        """Give a browser that died or is worn no new contexts, and close one that has none any more."""
        if member is self._current and not member.usable:
            self._current = None
            if not member.only_died:
                self._hold(None)
        if member is not self._current and member.contexts == 0:
            self._close(member)

    def _hold(self, driver: Driver | None) -> None:
        """Keep this driver, and no other, for the next browser."""
        former, self._driver = self._driver, driver
        if driver is not None:
            driver.join()
        if former is not None:
            leaving = asyncio.create_task(former.leave())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    def _close(self, member: _Member) -> asyncio.Task[None]:
        if member.closing is None:
            member.closing = asyncio.create_task(self._close_member(member))
        return member.closing

    async def _close_member(self, member: _Member) -> None:
        with suppress(PlatformError):
            await (await member.launching).close()
        self._members.discard(member)
