"""A browser, tasks that start in the shop, and a site of the tests' own with what the shop does not do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from aiohttp import web

from runtimes.contracts import TaskSpec
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.replay.recorded import RecordedPages

from .episodes import SHOP, web_task

AWKWARD_PAGE = """<title>Awkward</title>
<button onclick="document.title = confirm('Are you sure?') ? 'sure' : 'unsure'">Ask</button>
<button onclick="fetch('/slow').then(r => r.text()).then(t => out.textContent = t)">Fetch</button>
<p id="out"></p>
<button onclick="for (;;) {}">Spin</button>
<button onclick="this.remove()">Vanish</button>
<button onclick="setTimeout(() => window.close())">Close</button>
<button id="covered" style="position:absolute;top:300px;left:20px">Covered</button>
<div style="position:absolute;top:280px;left:0;width:300px;height:80px;background:#ccc">cover</div>
<a href="/opened" target="_blank">Open a window</a>
<a href="/never">Never answers</a>
<a href="/to-world">To the graders' part</a>
<a href="http://elsewhere.example/">Elsewhere</a>
<a href="/file">A file</a>
<iframe src="/framed" title="frame"></iframe>"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[BrowserPool]:
    """One browser for the tests of a module, which run in one event loop."""
    async with BrowserPool(start_url=SHOP) as pool:
        yield pool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recorded_pages() -> AsyncIterator[RecordedPages]:
    """The fresh browser that every replay of this module has its contexts in."""
    async with RecordedPages(navigation_seconds=5, action_seconds=2) as pool:
        yield pool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def awkward_site() -> AsyncIterator[str]:
    """The base address of a site on 127.0.0.1 whose pages do what sites should not."""
    answered = asyncio.Event()

    def html(text: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            return web.Response(text=text, content_type="text/html")

        return handler

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response(text="the slow answer")

    async def never(request: web.Request) -> web.Response:
        await answered.wait()
        return web.Response()

    async def to_world(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://shop.test/_world/state.json"})

    async def to_local(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"http://localhost:{port}/secret"})

    async def file(request: web.Request) -> web.Response:
        return web.Response(body=b"x", headers={"Content-Disposition": "attachment; filename=x.bin"})

    long_page = "".join(f"<p><a href='/{n}'>Paragraph {n}</a></p>" for n in range(600))
    app = web.Application()
    app.router.add_get("/", html(AWKWARD_PAGE))
    app.router.add_get("/framed", html("<button onclick=\"this.textContent='pushed'\">Push</button>"))
    app.router.add_get(
        "/framing", html("<title>Framing</title><p>around</p><iframe src='/to-local'></iframe>")
    )
    app.router.add_get("/opened", html("<title>Opened</title>the opened window"))
    app.router.add_get("/long", html(long_page))
    app.router.add_get("/secret", html("the secret"))
    app.router.add_get("/slow", slow)
    app.router.add_get("/never", never)
    app.router.add_get("/to-world", to_world)
    app.router.add_get("/to-local", to_local)
    app.router.add_get("/file", file)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}/"
    answered.set()
    await runner.cleanup()


@pytest.fixture
def awkward_task(awkward_site: str) -> TaskSpec:
    return web_task(start_url=awkward_site, allowed_domains=["127.0.0.1"])
