"""A browser that knows MiniWoB's pages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from runtimes.web.browser.pool import BrowserPool
from runtimes.web.miniwob import MiniwobSite


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[BrowserPool]:
    async with BrowserPool(max_contexts=4, sites=[MiniwobSite()]) as pool:
        yield pool
