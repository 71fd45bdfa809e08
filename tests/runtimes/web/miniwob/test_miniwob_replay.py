"""A problem of MiniWoB is the same again at its address, so that its episode holds and is rewarded again."""

from __future__ import annotations

import pytest

from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.miniwob import MiniwobSite
from runtimes.web.miniwob.tasks import read_tasks
from runtimes.web.replay.recorded import RecordedPages
from runtimes.web.replay.replay import replay_trajectory
from sandbox import SandboxPool
from tests.runtimes.scripted import ScriptedModel, says

from .test_miniwob_solved import played

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = ("click-checkboxes", "click-widget", "enter-date", "login-user", "search-engine")


async def test_solved_problems_hold_and_are_rewarded_again(pool: BrowserPool) -> None:
    tasks = [task async for task in read_tasks(pool, NAMES, [7])]
    recorded = [await played(pool, task) for task in tasks]
    assert [trajectory.outcome for trajectory in recorded] == ["solved"] * len(NAMES)
    async with RecordedPages(sites=[MiniwobSite()]) as pages:
        services = Services(ScriptedModel(says()), SandboxPool(slots=1), pages)
        for trajectory, task in zip(recorded, tasks, strict=True):
            found = await replay_trajectory(trajectory, services, task)
            assert found.all_held, found
            assert found.outcome == "solved"
