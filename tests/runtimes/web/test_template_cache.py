"""Repeated web tasks in a real browser: the recorded elements are found again, or the agent is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from aiohttp import web

from runtimes.builtin import WebRuntime
from runtimes.cache_store import SqliteStore
from runtimes.contracts import TaskSpec, Trajectory, Verifier
from runtimes.services import Services
from runtimes.template_cache import TemplateCache, perform_or_redo
from runtimes.web.browser.pool import BrowserPool
from sandbox import SandboxPool

from .episodes import web_task
from .recording import BUY_TEA, TEA_IN_CART, Agent, Said

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRESS: list[Said] = [("click", 'button "Go"', {})]


class Site:
    """One page with a button that reports that it was pressed; `above` is what comes before it."""

    def __init__(self) -> None:
        self.above = ""
        self.button = "Go"
        self.pressed = 0

    async def page(self, request: web.Request) -> web.Response:
        form = f'<form action="/pressed"><button>{self.button}</button></form>'
        return web.Response(text=f"<title>Site</title>{self.above}{form}", content_type="text/html")

    async def press(self, request: web.Request) -> web.Response:
        self.pressed += 1
        return web.Response(text="<title>Done</title><p>Done.</p>", content_type="text/html")


@pytest_asyncio.fixture(loop_scope="module")
async def site() -> AsyncIterator[tuple[Site, str]]:
    site = Site()
    app = web.Application()
    app.router.add_get("/", site.page)
    app.router.add_get("/pressed", site.press)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield site, f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


class Twice:
    """A task done by an agent, and again under another id with no agent that could do it."""

    def __init__(self, pool: BrowserPool, folder: Path) -> None:
        self.pool = pool
        self.templates = TemplateCache(SqliteStore(folder / "cache.sqlite", 3600))

    async def solve(self, task: TaskSpec, said: list[Said]) -> Trajectory:
        services = Services(Agent(said), SandboxPool(slots=1), self.pool, templates=self.templates)
        return await perform_or_redo(
            task, WebRuntime(services), services, sample=0, round="r", only_sample=True
        )


@pytest.fixture
def twice(pool: BrowserPool, tmp_path: Path) -> Twice:
    return Twice(pool, tmp_path)


def named(task: TaskSpec, task_id: str, verifier: Verifier) -> TaskSpec:
    return msgspec.structs.replace(task, task_id=task_id, verifier=verifier)


async def test_a_repeated_purchase_is_made_again_in_a_fresh_browser_and_graded(twice: Twice) -> None:
    first = await twice.solve(named(web_task(), "a", TEA_IN_CART), BUY_TEA)
    assert (first.outcome, first.metadata["cache_hit"]) == ("solved", False)
    again = await twice.solve(named(web_task(), "b", TEA_IN_CART), [])
    assert (again.outcome, again.metadata["cache_hit"]) == ("solved", True)
    assert "refs_moved" not in again.metadata
    assert [step.action_params for step in again.steps] == [
        {**step.action_params, "cached": True} for step in first.steps
    ]
    assert [s.web.locator for s in again.steps if s.web] == [s.web.locator for s in first.steps if s.web]


PRESSED = Verifier("page_state", {"at": "last_page", "script": "() => document.title", "expected": "Done"})


async def test_an_element_with_another_ref_is_found_by_its_locator_and_the_data_says_so(
    twice: Twice, site: tuple[Site, str]
) -> None:
    page, base = site
    task = web_task(start_url=base, allowed_domains=["127.0.0.1"])
    first = await twice.solve(named(task, "a", PRESSED), PRESS)
    assert first.outcome == "solved", first.grade_reason or first.error_message
    page.above = "<button>News</button><a href='/'>Home</a>"
    again = await twice.solve(named(task, "b", PRESSED), [])
    assert (again.outcome, again.metadata.get("refs_moved")) == ("solved", 1)
    assert page.pressed == 2


async def test_an_element_that_is_gone_leaves_the_task_to_the_agent(
    twice: Twice, site: tuple[Site, str]
) -> None:
    page, base = site
    task = web_task(start_url=base, allowed_domains=["127.0.0.1"])
    await twice.solve(named(task, "a", PRESSED), PRESS)
    page.button = "Onward"
    again = await twice.solve(named(task, "b", PRESSED), [("click", 'button "Onward"', {})])
    assert (again.outcome, again.metadata["cache_hit"]) == ("solved", False)
