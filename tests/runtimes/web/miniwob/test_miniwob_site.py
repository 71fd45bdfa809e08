"""MiniWoB's pages as this process serves them: begun by their seed, the same every time, judged once."""

from __future__ import annotations

import importlib.metadata

import aiohttp
import pytest
from playwright.async_api import Page

from runtimes.errors import ConfigurationError
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.miniwob import HOST, MiniwobSite
from runtimes.web.miniwob.site import task_names, task_url
from runtimes.web.miniwob.tasks import TASKS, check_names, make_task, read_tasks

pytestmark = pytest.mark.asyncio(loop_scope="module")

VERDICT = "() => [WOB_DONE_GLOBAL, WOB_RAW_REWARD_GLOBAL]"


async def problem(page: Page, name: str, seed: int) -> str:
    """A problem as its page shows it."""
    await page.goto(task_url(name, seed))
    return await page.aria_snapshot()


@pytest.mark.parametrize("name", ["click-checkboxes-large", "email-inbox", "search-engine", "book-flight"])
async def test_a_seed_gives_the_same_problem_in_every_browser_and_another_seed_another(
    pool: BrowserPool, name: str
) -> None:
    async with pool.grading_page() as page:
        first, second = await problem(page, name, 1), await problem(page, name, 2)
    async with pool.grading_page() as page:
        assert await problem(page, name, 1) == first
    assert first != second


async def test_a_page_shows_the_problem_alone_and_begins_by_itself(pool: BrowserPool) -> None:
    async with pool.grading_page() as page:
        seen = await problem(page, "click-test-2", 0)
        assert "START" not in seen
        assert "Time left" not in seen
        await page.click("button >> text=ONE")
        assert await page.evaluate(VERDICT) == [True, 1]
        assert "START" not in await page.aria_snapshot()


async def test_the_first_verdict_counts_however_often_the_page_is_opened_again(pool: BrowserPool) -> None:
    async with pool.grading_page() as page:
        await problem(page, "click-test-2", 0)
        await page.click("button >> text=TWO")
        assert await page.evaluate(VERDICT) == [True, -1]
        await problem(page, "click-test-2", 0)
        await page.click("button >> text=ONE")
        assert await page.evaluate(VERDICT) == [True, -1]
        await problem(page, "click-test-2", 1)
        assert await page.evaluate(VERDICT) == [False, 0]


async def test_texts_are_utf8_and_nothing_outside_the_folder_is_served() -> None:
    async with MiniwobSite() as site, aiohttp.ClientSession(f"http://127.0.0.1:{site.port}/") as client:
        for path in ("miniwob/unicode-test.html", "core/core.js", "core/core.css"):
            async with client.get(path) as response:
                assert response.charset == "utf-8", path
        for path in ("miniwob/no-such-task.html", "%2e%2e/__init__.py", "..%2f__init__.py", "miniwob/"):
            async with client.get(path) as response:
                assert response.status in (403, 404), path


async def test_tasks_made_twice_are_the_same_and_carry_instruction_verifier_and_licence(
    pool: BrowserPool,
) -> None:
    made = [task async for task in read_tasks(pool, ["click-dialog-2", "email-inbox-nl-turk"], [3, 4])]
    again = [task async for task in read_tasks(pool, ["click-dialog-2", "email-inbox-nl-turk"], [3, 4])]
    assert made == again
    task = made[0]
    assert task.task_id == "miniwob-click-dialog-2-3"
    assert task.description.startswith("Click the button in the dialog box labeled")
    assert task.constraints == {"start_url": task_url("click-dialog-2", 3), "allowed_domains": [HOST]}
    assert (task.lineage.source, task.metadata["licence"]) == ("miniwob", "MIT")
    assert made[2].description.startswith("Email Kiley the message")  # where the instruction is an object


async def test_a_task_is_not_solved_elsewhere_than_on_its_own_page(pool: BrowserPool) -> None:
    task = make_task("click-test", 0, "Click the button.")
    assert task.verifier is not None
    address, reward = task.verifier.spec["checks"]
    assert address["expected"] == task.constraints["start_url"]
    assert "WOB_RAW_REWARD_GLOBAL" in reward["script"]


async def test_every_default_task_is_in_the_package_and_others_are_told_apart() -> None:
    assert set(TASKS) <= set(task_names())
    assert len(TASKS) == len(set(TASKS)) == 36
    with pytest.raises(ConfigurationError, match="no task 'click-buton'") as raised:
        check_names(["click-test", "click-buton"])
    assert "click-button" in raised.value.remedy


async def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "files", lambda name: None)
    with pytest.raises(ConfigurationError, match="not installed") as raised:
        async with MiniwobSite():
            pass
    assert '[miniwob]"' in raised.value.remedy
