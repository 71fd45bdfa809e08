"""MiniWoB's pages over HTTP: the files of the installed package, each task made to start by itself."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from aiohttp import web

from runtimes.errors import ConfigurationError
from runtimes.web.browser.sites import AppSite

HOST = "miniwob.test"
PACKAGE = "miniwob"
_LANDMARK = "miniwob/html/core/core.js"
_START = Path(__file__).with_name("start.html")
_TEXTS = {"application/javascript", "application/json"}


class MiniwobSite(AppSite):
    """The pages, served while the context lasts.

    `/miniwob/<task>.html?seed=N` is problem N of a task, the same in every browser, begun when the page has
    loaded. What its page keeps from one load to the next is the first verdict only. Entering raises
    ConfigurationError where the package is not installed.
    """

    host = HOST

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path()

    def app(self) -> web.Application:
        self._folder = html_folder()
        app = web.Application()
        app.router.add_get("/miniwob/{task:[a-z0-9-]+}.html", self._task_page)
        app.router.add_static("/", self._folder)
        app.on_response_prepare.append(_say_utf8)
        return app

    async def _task_page(self, request: web.Request) -> web.Response:
        page = self._folder / "miniwob" / f"{request.match_info['task']}.html"
        if not page.is_file():
            raise web.HTTPNotFound
        text = page.read_text(encoding="utf-8") + _START.read_text(encoding="utf-8")
        return web.Response(text=text, content_type="text/html")


def html_folder() -> Path:
    """Where the package's pages lie. The package itself is never imported: it needs Selenium."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.as_posix() == _LANDMARK:
            return Path(str(file.locate())).parents[1]
    raise ConfigurationError(
        "MiniWoB's pages are not installed.", 'Run: pip install "agent-data-platform[miniwob]"'
    )


def task_names() -> list[str]:
    """Every task the package has a page of, by name. Raises what `html_folder` raises."""
    return sorted(page.stem for page in (html_folder() / "miniwob").glob("*.html"))


def task_url(name: str, seed: int) -> str:
    """The address of problem `seed` of a task, for a browser that knows the site."""
    return f"http://{HOST}/miniwob/{name}.html?seed={seed}"


async def _say_utf8(request: web.Request, response: web.StreamResponse) -> None:
    """The pages are UTF-8 and few of them say so."""
    if response.content_type.startswith("text/") or response.content_type in _TEXTS:
        response.charset = "utf-8"
