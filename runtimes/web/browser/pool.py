"""The browser pages of one process: of episodes and of graders, in contexts of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from runtimes.contracts import Health, TaskSpec
from runtimes.errors import PlatformError, ToolError
from runtimes.web.browser.chromium import Chromium
from runtimes.web.browser.contexts import answering, open_context
from runtimes.web.browser.fleet import Fleet
from runtimes.web.browser.memory import MemoryBudget
from runtimes.web.browser.sites import LocalSite, SiteServers
from runtimes.web.egress.guard import SHOP_HOST, Guard
from runtimes.web.egress.proxy import ContextProxy
from runtimes.web.futures import to_the_end
from runtimes.web.observation.observer import Observer
from runtimes.web.page.page import WebPage
from runtimes.web.page.recovery import Checkpoint, restored
from runtimes.web.page.screenshots import ScreenshotStore
from runtimes.web.page.watch import Watch
from runtimes.web.site import GRADER_HEADER, Shop

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page, Route

_GRADING_PAGES = 2


@dataclass(frozen=True)
class Opened:
    """A context, the browser it is in, and the only way out of it."""

    chromium: Chromium
    context: BrowserContext
    proxy: ContextProxy


class BrowserPool:
    """A fresh context an episode: at most `max_contexts`, and as many as fit `memory_mb`, one at the least.

    An async context manager; nothing starts before the first page and nothing is left after it. All contexts
    are in one Chromium, which is replaced after `recycle_episodes` episodes, or when it died or has grown.
    `memory_mb` bounds what browser and driver use together, by default half of what is available. The bundled
    shop, `http://shop.test/` to every page, and `sites` are served beside it. `allow_private` are the private
    hosts and addresses that every task may open, `forbidden` the domains that none may; `observation` says
    whether an agent sees the whole page after each action, or what changed of it. With `tracing` each
    episode's context is traced (`WebPage.tracing`). One pool serves one event loop.
    """

    def __init__(
        self,
        max_contexts: int = 4,
        navigation_seconds: float = 15,
        action_seconds: float = 5,
        start_url: str = "https://www.google.com",
        *,
        observation: Literal["full", "diff"] = "full",
        screenshots: ScreenshotStore | None = None,
        tracing: bool = False,
        sites: Sequence[LocalSite] = (),
        allow_private: tuple[str, ...] = (),
        forbidden: tuple[str, ...] = (),
        memory_mb: int | None = None,
        recycle_episodes: int = 200,
    ) -> None:
        self._observation = observation
        self._screenshots = screenshots
        self._tracing = tracing
        self._navigation_seconds = navigation_seconds
        self._action_seconds = action_seconds
        self._start_url = start_url
        self._allow_private = allow_private
        self._forbidden = forbidden
        self._places = asyncio.Semaphore(max_contexts)
        # Apart from the episodes' places, so that a grader never waits for the episode that waits for it.
        self._grading_places = asyncio.Semaphore(_GRADING_PAGES)
        self._shop = Shop()
        self._sites = SiteServers([self._shop, *sites])
        self._fleet = Fleet(recycle_episodes)
        self._budget = MemoryBudget(memory_mb, self._fleet.usage)

    @property
    def shop_port(self) -> int:
        """Where the shop listens on 127.0.0.1; 0 before the first page."""
        return self._shop.port

    async def __aenter__(self) -> BrowserPool:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await to_the_end(self._close())

    async def _close(self) -> None:
        try:
            await self._fleet.close()
        finally:
            await self._sites.close()

    @asynccontextmanager
    async def page(self, task: TaskSpec, checkpoint: Checkpoint | None = None) -> AsyncIterator[WebPage]:
        """A page in a context of its own, at the task's `start_url` or the pool's; waits for a free place.

        With a `checkpoint` it has the cookies and storage of that, and is at its address.
        A start address that does not open is told by the page's first observation. Raises ConfigurationError
        when there is no Chromium, InfrastructureError when it does not work, ToolError for constraints that
        cannot be read.
        """
        guard = Guard.of_task(task, self._allow_private, self._forbidden)
        start_url = task.constraints.get("start_url") or self._start_url
        state = None
        if checkpoint is not None:
            start_url, state = checkpoint.url or start_url, checkpoint.storage_state
        if not isinstance(start_url, str):
            raise ToolError("system_error", f"The task's start_url {start_url!r} is not an address.")
        async with (
            self._places,
            self._budget.place(),
            self._context(guard, state, episode=True) as opened,
        ):
            watch = Watch(opened.context, guard, opened.proxy)
            observer = Observer(opened.context, mode=self._observation)
            async with AsyncExitStack() as starting:
                async with answering(opened.chromium, "opening a page"):
                    await observer.install()
                    await watch.start()
                    await starting.enter_async_context(restored(watch.page, checkpoint))
                page = WebPage(
                    watch,
                    observer,
                    navigation_seconds=self._navigation_seconds,
                    action_seconds=self._action_seconds,
                    screenshots=self._screenshots,
                )
                if self._tracing:
                    await page.tracing.start()
                await page.start(start_url)
            yield page

    @asynccontextmanager
    async def grading_page(
        self, storage_state: dict[str, Any] | None = None, *, allowed_domains: tuple[str, ...] | None = None
    ) -> AsyncIterator[Page]:
        """A blank Playwright page with an episode's cookies, for a verifier; it may read `/_world/`."""
        guard = Guard(
            allowed_domains,
            sees_world=True,
            allow_private=self._allow_private,
            forbidden=self._forbidden,
        )

        async def on_route(route: Route) -> None:
            request = route.request
            if guard.refusal(request.url):
                await route.abort("blockedbyclient")
            elif request.url.startswith(f"http://{SHOP_HOST}/"):
                await route.continue_(headers={**request.headers, GRADER_HEADER: self._shop.grader_key})
            else:
                await route.continue_()

        async with self._grading_places, self._context(guard, storage_state) as opened:
            async with answering(opened.chromium, "opening a grading page"):
                await opened.context.route("**/*", on_route)
                opened.context.set_default_timeout(self._navigation_seconds * 1000)
                page = await opened.context.new_page()
            yield page

    async def check(self) -> None:
        """Prove that a page can be opened now. Raises what `page` raises."""
        async with self._context(Guard()) as opened, answering(opened.chromium, "opening a blank page"):
            page = await opened.context.new_page()
            await page.evaluate("1 + 1")

    async def health(self) -> Health:
        try:
            await self.check()
        except PlatformError as error:
            return Health(False, str(error))
        return Health(True)

    @asynccontextmanager
    async def _context(
        self, guard: Guard, storage_state: dict[str, Any] | None = None, *, episode: bool = False
    ) -> AsyncIterator[Opened]:
        async with (
            ContextProxy(guard, await self._sites.ports()) as proxy,
            self._fleet.browser(episode=episode) as chromium,
            open_context(chromium, proxy, storage_state) as context,
        ):
            yield Opened(chromium, context, proxy)
