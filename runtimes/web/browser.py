"""The browser of one process: started with the first page, shared by episodes, replaced when it died."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from runtimes.contracts import Health, TaskSpec
from runtimes.errors import InfrastructureError, PlatformError, ToolError, VerifierFault
from runtimes.web.chromium import CLOSE_SECONDS, Chromium
from runtimes.web.guard import SHOP_HOST, Guard
from runtimes.web.miniwob.site import MiniwobSite
from runtimes.web.page import VIEWPORT, WebPage
from runtimes.web.site import GRADER_HEADER, Shop
from runtimes.web.watch import Watch

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page, Route, StorageState

CHECK_SECONDS = 15.0
"""The longest a browser may take for a context or a blank page; one that takes longer hangs and is killed."""

_GRADING_PAGES = 2
_RETRY = "It is tried again in a new browser."


class BrowserPool:
    """One Chromium, a fresh context an episode, at most `max_contexts` of them at a time.

    An async context manager; nothing starts before the first page and nothing is left after it. The bundled
    shop runs beside the browser and is `http://shop.test/` to every page. One pool serves one event loop.
    """

    def __init__(
        self,
        max_contexts: int = 4,
        navigation_seconds: float = 15,
        action_seconds: float = 5,
        start_url: str = "https://www.google.com",
        sites: Sequence[MiniwobSite] = (),
    ) -> None:
        self._navigation_seconds = navigation_seconds
        self._action_seconds = action_seconds
        self._start_url = start_url
        self._places = asyncio.Semaphore(max_contexts)
        # Apart from the episodes' places, so that a grader never waits for the episode that waits for it.
        self._grading_places = asyncio.Semaphore(_GRADING_PAGES)
        self._starting = asyncio.Lock()
        self._launching: asyncio.Task[Chromium] | None = None
        self._shop: Shop | None = None
        self._sites = sites
        self._shop_open = AsyncExitStack()
        self._closed = False

    @property
    def shop_port(self) -> int:
        """Where the shop listens on 127.0.0.1; 0 before the first page."""
        return self._shop.port if self._shop is not None else 0

    async def __aenter__(self) -> BrowserPool:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._closed = True
        async with self._starting, self._shop_open:
            self._shop = None
            await self._close_browser()

    @asynccontextmanager
    async def page(self, task: TaskSpec) -> AsyncIterator[WebPage]:
        """A page in a context of its own, at the task's `start_url` or the pool's; waits for a free place.

        A start address that does not open is told by the page's first observation. Raises ConfigurationError
        when there is no Chromium, InfrastructureError when it does not work, ToolError for constraints that
        cannot be read.
        """
        guard = Guard.of_task(task)
        start_url = task.constraints.get("start_url") or self._start_url
        if not isinstance(start_url, str):
            raise ToolError("system_error", f"The task's start_url {start_url!r} is not an address.")
        async with self._places, self._context() as (chromium, context):
            watch = Watch(context, guard)
            async with _answering(chromium, "opening a page"):
                await watch.start()
            page = WebPage(
                watch, navigation_seconds=self._navigation_seconds, action_seconds=self._action_seconds
            )
            await page.start(start_url)
            yield page

    @asynccontextmanager
    async def grading_page(
        self, storage_state: dict[str, Any] | None = None, *, allowed_domains: tuple[str, ...] | None = None
    ) -> AsyncIterator[Page]:
        """A blank Playwright page with an episode's cookies, for a verifier; it may read `/_world/`."""
        guard = Guard(allowed_domains, sees_world=True)

        async def on_route(route: Route) -> None:
            request = route.request
            if guard.refusal(request.url):
                await route.abort("blockedbyclient")
            elif self._shop is not None and request.url.startswith(f"http://{SHOP_HOST}/"):
                await route.continue_(headers={**request.headers, GRADER_HEADER: self._shop.grader_key})
            else:
                await route.continue_()

        async with self._grading_places, self._context(storage_state) as (chromium, context):
            async with _answering(chromium, "opening a grading page"):
                await context.route("**/*", on_route)
                context.set_default_timeout(self._navigation_seconds * 1000)
                page = await context.new_page()
            yield page

    async def evaluate(
        self,
        url: str,
        script: str,
        *,
        storage_state: dict[str, Any] | None = None,
        allowed_domains: tuple[str, ...] | None = None,
    ) -> Any:
        """What `script`, JavaScript, gives on a `grading_page` at `url`, as JSON has it.

        Raises VerifierFault when the script fails or does not end, InfrastructureError when the address
        does not open.
        """
        from playwright.async_api import Error

        async with self.grading_page(storage_state, allowed_domains=allowed_domains) as page:
            try:
                await page.goto(url)
            except Error as error:
                raise InfrastructureError(
                    "network_error", f"The grading page {url} did not open: {error.message}", _RETRY
                ) from error
            try:
                return await asyncio.wait_for(page.evaluate(script), self._navigation_seconds)
            except TimeoutError:
                raise VerifierFault(f"The verifier's script on {url} did not end.") from None
            except Error as error:
                if page.is_closed():
                    raise InfrastructureError(
                        "browser_error", "The browser died while grading.", _RETRY
                    ) from error
                raise VerifierFault(f"The verifier's script failed on {url}: {error.message}") from error

    async def check(self) -> None:
        """Prove that a page can be opened now. Raises what `page` raises."""
        async with self._context() as (chromium, context), _answering(chromium, "opening a blank page"):
            page = await context.new_page()
            await page.evaluate("1 + 1")

    async def health(self) -> Health:
        try:
            await self.check()
        except PlatformError as error:
            return Health(False, str(error))
        return Health(True)

    @asynccontextmanager
    async def _context(
        self, storage_state: dict[str, Any] | None = None
    ) -> AsyncIterator[tuple[Chromium, BrowserContext]]:
        """A context, and the browser it is in."""
        chromium = await self._running()
        context = await _open_context(chromium, storage_state)
        try:
            yield chromium, context
        finally:
            await _close_context(chromium, context)

    async def _running(self) -> Chromium:
        """The browser, started or started anew where it died or did not start."""
        async with self._starting:
            if self._closed:
                raise InfrastructureError("browser_error", "The browser pool is closed.")
            if self._shop is None:
                for site in self._sites:
                    await self._shop_open.enter_async_context(site)
                self._shop = await self._shop_open.enter_async_context(Shop())
            if self._launching is not None and _is_over(self._launching):
                await self._close_browser()
            if self._launching is None:
                self._launching = asyncio.create_task(Chromium.launch(self._ports()))
            # An episode that is cancelled meanwhile must not leave half a browser to nobody.
            return await asyncio.shield(self._launching)

    def _ports(self) -> dict[str, int]:
        return {SHOP_HOST: self.shop_port, **{site.host: site.port for site in self._sites}}

    async def _close_browser(self) -> None:
        launching, self._launching = self._launching, None
        if launching is not None:
            with suppress(PlatformError):
                await (await launching).close()


def _is_over(launching: asyncio.Task[Chromium]) -> bool:
    """Whether a launch failed, or its browser has died since."""
    if not launching.done():
        return False
    return launching.cancelled() or launching.exception() is not None or not launching.result().alive


async def _open_context(chromium: Chromium, storage_state: dict[str, Any] | None) -> BrowserContext:
    from playwright.async_api import Error

    opening = asyncio.ensure_future(
        chromium.browser.new_context(
            viewport={"width": VIEWPORT.width, "height": VIEWPORT.height},
            locale="en-US",
            accept_downloads=False,
            service_workers="block",  # their requests pass by the guard
            storage_state=cast("StorageState | None", storage_state),
        )
    )
    # Where the browser is killed nobody waits for the answer any more, and asyncio would complain of it.
    opening.add_done_callback(lambda opened: opened.cancelled() or opened.exception())
    try:
        async with _answering(chromium, "opening a context"):
            return await asyncio.shield(opening)
    except asyncio.CancelledError:
        # A context that opens after its episode has gone would belong to nobody.
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                context = await asyncio.shield(opening)
        except TimeoutError:
            await chromium.kill()
        except Error:
            pass  # it died; the next page finds out
        else:
            await _close_context(chromium, context)
        raise


async def _close_context(chromium: Chromium, context: BrowserContext) -> None:
    """Close at once, also while being cancelled; a browser that cannot close a context is replaced."""
    from playwright.async_api import Error

    if not chromium.alive:
        return  # the next page finds out
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await context.close()
    except Error:
        return  # it died meanwhile
    except TimeoutError:
        await chromium.kill()


@asynccontextmanager
async def _answering(chromium: Chromium, what: str) -> AsyncIterator[None]:
    """A browser that hangs is killed after CHECK_SECONDS, so that the next page gets a new one."""
    with _browser_faults(what):
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                yield
        except TimeoutError:
            await chromium.kill()
            raise


@contextmanager
def _browser_faults(what: str) -> Iterator[None]:
    """Faults of the browser before an agent has done anything are the platform's."""
    from playwright.async_api import Error

    try:
        yield
    except (Error, TimeoutError) as error:
        cause = str(error).strip().split("\n", 1)[0] or "it did not answer"
        raise InfrastructureError("browser_error", f"The browser failed {what}: {cause}", _RETRY) from error
