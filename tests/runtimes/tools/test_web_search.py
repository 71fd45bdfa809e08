"""Searching over an endpoint that speaks SearXNG's JSON, and what it may answer instead."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from runtimes.errors import ToolError, ToolUnavailable
from runtimes.services import Services
from runtimes.tools import web_search
from runtimes.tools.base import Workbench
from tests.runtimes.scripted import code_task

Answer = Callable[[web.Request], web.Response]


@asynccontextmanager
async def searching(answer: Answer) -> AsyncIterator[Workbench]:
    """A workbench whose search endpoint gives `answer`."""

    async def handle(request: web.Request) -> web.Response:
        return answer(request)

    app = web.Application()
    app.router.add_get("/search", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/search"
    services = Services(None, None, None, search_url=url)  # type: ignore[arg-type]
    try:
        yield Workbench(code_task(), services)
    finally:
        await runner.cleanup()


async def test_results_come_as_title_address_and_snippet() -> None:
    def answer(request: web.Request) -> web.Response:
        assert dict(request.query) == {"q": "龙井 tea", "format": "json"}
        result = {"title": "Longjing", "url": "http://tea.example/", "content": "A  green\ntea", "score": 1}
        return web.json_response({"query": "龙井 tea", "results": [result, {"url": "http://b.example/"}]})

    async with searching(answer) as bench:
        found = await web_search.web_search(bench, "龙井 tea")
    assert found == "Longjing\nhttp://tea.example/\nA green tea\n\n(no title)\nhttp://b.example/"


async def test_at_most_ten_results_with_short_snippets() -> None:
    results = [{"title": f"t{i}", "url": f"http://{i}.example/", "content": "x" * 5000} for i in range(40)]
    async with searching(lambda request: web.json_response({"results": results})) as bench:
        found = await web_search.web_search(bench, "many")
    assert found.count("http://") == 10
    assert len(found) < 5000


async def test_nothing_found_is_said() -> None:
    async with searching(lambda request: web.json_response({"results": []})) as bench:
        assert "Nothing was found for 'x'" in await web_search.web_search(bench, "x")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (web.Response(text="<html>"), "not SearXNG's JSON"),
        (web.json_response({"other": 1}), "not SearXNG's JSON"),
        (web.json_response([1]), "not SearXNG's JSON"),
        (web.json_response({"results": ["text"]}), "not SearXNG's JSON"),
        (web.json_response({"results": None}), "not SearXNG's JSON"),
        (web.Response(status=403), "must allow the format json"),
        (web.Response(status=500), "HTTP 500"),
        (web.Response(body=b" " * 3_000_000), "too large"),
    ],
)
async def test_an_answer_that_is_none_is_the_tools_error(answer: web.Response, said: str) -> None:
    async with searching(lambda request: answer) as bench:
        with pytest.raises(ToolError, match=said) as raised:
            await web_search.web_search(bench, "x")
    assert raised.value.error_type == "network_error"


@pytest.mark.parametrize("status", [400, 413, 414])
async def test_a_query_that_is_not_taken_is_the_agents_doing(status: int) -> None:
    async with searching(lambda request: web.Response(status=status)) as bench:
        with pytest.raises(ToolError, match=f"did not take the query.*{status}") as raised:
            await web_search.web_search(bench, "x")
    assert not isinstance(raised.value, ToolUnavailable)


async def test_a_search_that_does_not_answer_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_search, "TIMEOUT_SECONDS", 0.0)
    async with searching(lambda request: web.json_response({"results": []})) as bench:
        with pytest.raises(ToolError) as raised:
            await web_search.web_search(bench, "x")
    assert raised.value.error_type == "timeout"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/search", "no address"])
async def test_an_endpoint_that_is_not_there_is_a_network_error(url: str) -> None:
    services = Services(None, None, None, search_url=url)  # type: ignore[arg-type]
    with pytest.raises(ToolError) as raised:
        await web_search.web_search(Workbench(code_task(), services), "x")
    assert raised.value.error_type == "network_error"


async def test_without_an_endpoint_the_setting_is_named() -> None:
    services = Services(None, None, None)  # type: ignore[arg-type]
    with pytest.raises(ToolError, match="SEARCH_URL"):
        await web_search.web_search(Workbench(code_task(), services), "x")
