"""A browser that knows the supplement, and two sites, cross-site to each other, whose pages a test writes."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, async_playwright

from runtimes.web.browser.chromium import EXECUTABLES
from runtimes.web.observation import supplement
from runtimes.web.observation.observer import Observer

from .looking import Looking, Sites

Look = Callable[..., Awaitable[Looking]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        await supplement.register(playwright)
        path = next(filter(None, map(shutil.which, EXECUTABLES)), None)
        browser = await playwright.chromium.launch(executable_path=path, chromium_sandbox=False)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sites() -> AsyncIterator[Sites]:
    sites = Sites()

    async def answer(request: web.Request) -> web.Response:
        body, content_type = sites.pages.get(request.path, ("", "text/html"))
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sites.port = runner.addresses[0][1]
    yield sites
    await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="module")
async def look(browser: Browser, sites: Sites) -> AsyncIterator[Look]:
    """Opens a page of the given HTML in a context of its own; keyword arguments are the observer's."""
    async with AsyncExitStack() as contexts:

        async def look(html: str | bytes, content_type: str = "text/html", **options: object) -> Looking:
            context = await browser.new_context(viewport={"width": 1280, "height": 720})
            contexts.push_async_callback(context.close)
            context.set_default_timeout(30_000)
            observer = Observer(context, **options)  # type: ignore[arg-type]
            await observer.install()
            page = await context.new_page()
            sites.pages["/"] = (html.encode() if isinstance(html, str) else html, content_type)
            await page.goto(sites.url)
            return Looking(page, observer)

        yield look
