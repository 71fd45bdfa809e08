"""Grading by a page's state, through a whole episode of a web task in the real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from runtimes.builtin import WebRuntime
from runtimes.contracts import TaskSpec, Trajectory, Verifier
from runtimes.perform import perform
from runtimes.services import Services
from runtimes.web.browser import BrowserPool
from sandbox import SandboxPool

from .scripted import ScriptedModel, finishes

CATALOGUE = "http://shop.test/_world/catalogue.json"
COUNT = "() => JSON.parse(document.body.innerText).length"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browsers() -> AsyncIterator[BrowserPool]:
    async with BrowserPool(navigation_seconds=3) as pool:
        yield pool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local_host() -> AsyncIterator[str]:
    """`host:port` of a site on 127.0.0.1, which only a task that names it may open."""

    async def stock(request: web.Request) -> web.Response:
        return web.json_response({"stock": 7})

    app = web.Application()
    app.router.add_get("/", stock)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def graded(
    browsers: BrowserPool, answer: str, constraints: dict[str, Any] | None = None, **spec: Any
) -> Trajectory:
    """What becomes of an agent that answers at once, judged by a page_state verifier."""
    task = TaskSpec(
        task_type="web",
        description="How many products are there?",
        constraints={"start_url": "http://shop.test/", **(constraints or {})},
        verifier=Verifier("page_state", {"url": CATALOGUE, "script": COUNT, **spec}),
    ).named()
    services = Services(ScriptedModel(finishes(answer)), SandboxPool(slots=1), browsers)
    return await perform(task, WebRuntime(services), services, sample=0, round="r")


async def test_the_page_says_what_the_right_answer_is(browsers: BrowserPool) -> None:
    right = await graded(browsers, "There are 40.", compare="numeric")
    wrong = await graded(browsers, "There are 41.", compare="numeric")
    assert (right.outcome, wrong.outcome) == ("solved", "unsolved")


async def test_the_page_must_be_in_the_expected_state(browsers: BrowserPool) -> None:
    assert (await graded(browsers, "", expected=40)).outcome == "solved"
    assert (await graded(browsers, "", expected=True)).outcome == "unsolved"


@pytest.mark.parametrize("script", ["() => { throw new Error('broken') }", "() => { for (;;) {} }"])
async def test_a_broken_verifier_leaves_the_episode_unverified(browsers: BrowserPool, script: str) -> None:
    trajectory = await graded(browsers, "40", script=script, expected=40)
    assert trajectory.outcome == "unverified"
    assert "verifier's script" in trajectory.grade_reason
    assert trajectory.final_result == "40"


async def test_a_grading_page_that_does_not_open_is_our_failure(browsers: BrowserPool) -> None:
    trajectory = await graded(browsers, "40", url="http://nowhere.invalid/", expected=40)
    assert trajectory.outcome == "infrastructure_error"
    assert "nowhere.invalid" in (trajectory.error_message or "")


async def test_the_grader_opens_the_private_host_that_the_task_allows(
    browsers: BrowserPool, local_host: str
) -> None:
    url, stock = f"http://{local_host}/", "() => JSON.parse(document.body.innerText).stock"
    allowed = {"start_url": url, "allowed_domains": [local_host]}
    trajectory = await graded(browsers, "7", allowed, url=url, script=stock, expected=7)
    assert trajectory.outcome == "solved", trajectory.error_message
    trajectory = await graded(browsers, "7", url=url, script=stock, expected=7)
    assert trajectory.outcome == "infrastructure_error"
