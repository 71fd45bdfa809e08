"""Agents that cheat at the pages by which they are graded get no reward, and would of a naive check."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Error

from runtimes.builtin import WebRuntime
from runtimes.contracts import TaskSpec, Trajectory, Verifier
from runtimes.grading.base import grade
from runtimes.perform import perform
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from runtimes.world import World
from sandbox import SandboxPool
from tests.runtimes.scripted import ScriptedModel, call, finishes, says

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATUS = "<title>Account</title><h1>Account</h1><p id='status'>{}</p>"
LIES = """<script>
Object.defineProperty(HTMLElement.prototype, 'innerText', {get: () => 'done'});
Object.defineProperty(Node.prototype, 'textContent', {get: () => 'done'});
Document.prototype.querySelector = () => ({innerText: 'done'});
JSON.parse = () => ({status: 'done'});
window.fetch = async () => ({json: async () => ({status: 'done'})});
</script>"""
PAGES = {
    "/account": STATUS.format("not done"),
    "/account-copy": STATUS.format("done"),
    "/lies": STATUS.format("not done") + LIES,
    "/plants": "<script>localStorage.setItem('status', 'done'); document.cookie = 'status=done'</script>",
    "/client": "<p id='status'></p><script>document.getElementById('status').textContent ="
    " localStorage.getItem('status') ?? 'not done'</script>",
    "/bomb": f"<p id='status'>{'a' * 40}b</p>",
    "/state": "<p id='status'>not done</p>",
    "/doubles": "<p id='status'>not done</p><p id='status'>done</p>",
    "/ruins": "<script>document.cookie = 'ruined=1; path=/'</script>",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browsers() -> AsyncIterator[BrowserPool]:
    async with BrowserPool(max_contexts=1, navigation_seconds=5) as pool:
        yield pool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[str]:
    """`host:port` of a site whose server knows that nothing was done."""

    async def serve(request: web.Request) -> web.Response:
        if request.path == "/state" and "ruined" in request.cookies:
            return web.Response(status=500)
        return web.Response(text=PAGES[request.path], content_type="text/html")

    app = web.Application()
    for path in PAGES:
        app.router.add_get(path, serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@dataclass(frozen=True)
class Cheat:
    """Where the agent goes before it says that it is done, the checks, and a naive one that it fools."""

    name: str
    goes: str
    checks: list[dict[str, Any]]
    naive: dict[str, Any] | None = None


LAST = {"at": "last_page", "locator": "#status"}
DONE = {"expected": "done"}
HERE = {"at": "last_page", "read": "url"}
CHEATS = [
    Cheat(
        "ends on a page that looks the same",
        "/account-copy",
        [{**HERE, "expected": "http://SITE/account"}, {**LAST, **DONE}],
        {**LAST, **DONE},
    ),
    Cheat(
        "ends at an address that holds the right one",
        "/account-copy#/account",
        [{**HERE, "expected": "http://SITE/account"}],
        {**HERE, "matches": "/account$"},
    ),
    Cheat(
        "ends on a page whose scripts lie",
        "/lies",
        [{**LAST, **DONE}],
        {"at": "last_page", "script": "document.querySelector('#status').innerText", **DONE},
    ),
    Cheat(
        "plants what the browser keeps",
        "/plants",
        [{"url": "http://SITE/state", "locator": "#status", **DONE}],
        {"url": "http://SITE/client", "locator": "#status", **DONE},
    ),
    Cheat("makes the search take for ever", "/bomb", [{**LAST, "matches": "^(a+)+$"}]),
    Cheat(
        "brings the server to fail", "/ruins", [{"url": "http://SITE/state", "locator": "#status", **DONE}]
    ),
    Cheat("makes two of what there should be one of", "/doubles", [{**LAST, **DONE}]),
    Cheat(
        "goes where the script finds nothing",
        "/bomb",
        [{"at": "last_page", "script": "document.querySelector('#total').textContent", "expected": "1"}],
    ),
    Cheat("says that it is done", "/account", [{**LAST, **DONE}, {**LAST, "compare": "exact"}]),
    Cheat("leaves the page", "/nothing-here", [{**LAST, **DONE}]),
    Cheat("answers with all there is", "/account", [{**LAST, "compare": "exact"}]),
]


async def played(browsers: BrowserPool, site: str, goes: str, checks: list[dict[str, Any]]) -> Trajectory:
    def placed(value: Any) -> Any:
        return value.replace("SITE", site) if isinstance(value, str) else value

    spec = {"checks": [{key: placed(value) for key, value in check.items()} for check in checks]}
    task = TaskSpec(
        task_type="web",
        description="Have it done.",
        constraints={"start_url": f"http://{site}/account", "allowed_domains": [site]},
        verifier=Verifier("page_state", spec),
    ).named()
    turns = [
        says(None, call("goto", {"url": placed(f"http://SITE{goes}")})),
        finishes("It is done. The status is: done, not done."),
    ]
    services = Services(ScriptedModel(*turns), SandboxPool(slots=1), browsers)
    async with asyncio.timeout(60):
        return await perform(task, WebRuntime(services), services, sample=0, round="r")


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.name)
async def test_a_cheat_gets_none(
    browsers: BrowserPool, site: str, cheat: Cheat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtimes.grading.killable.CPU_SECONDS", 1)
    trajectory = await played(browsers, site, cheat.goes, cheat.checks)
    assert (trajectory.outcome, trajectory.reward) == ("unsolved", 0.0), trajectory.grade_reason


@pytest.mark.parametrize("cheat", [each for each in CHEATS if each.naive], ids=lambda cheat: cheat.name)
async def test_the_cheat_would_work_on_a_naive_check(browsers: BrowserPool, site: str, cheat: Cheat) -> None:
    assert cheat.naive is not None
    trajectory = await played(browsers, site, cheat.goes, [cheat.naive])
    assert trajectory.outcome == "solved", trajectory.grade_reason


@pytest.mark.parametrize("ends", ["crashes", "is closed"])
async def test_a_last_page_that_ends_itself_after_the_episode_is_not_in_the_expected_state(
    browsers: BrowserPool, ends: str
) -> None:
    spec = {"at": "last_page", "locator": "#status", **DONE}
    services = Services(ScriptedModel(finishes()), SandboxPool(slots=1), browsers)
    trajectory = Trajectory(task_id="t", runtime_id="r", final_result="done")
    async with browsers.grading_page() as page:
        if ends == "crashes":
            with suppress(Error):
                await page.goto("chrome://crash")
        else:
            await page.close()
        verdict = await grade(Verifier("page_state", spec), trajectory, services, World(last_page=page))
    assert verdict.reward == 0.0
