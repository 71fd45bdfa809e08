"""A trace is written whole where it is kept, and nothing is left where it is not."""

from __future__ import annotations

import zipfile
from pathlib import Path

import msgspec
import pytest

from runtimes.builtin import WebRuntime
from runtimes.contracts import Trajectory, Verifier
from runtimes.perform import perform
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.page.tracing import Tracing, trace_path
from sandbox import SandboxPool
from tests.runtimes.scripted import ScriptedModel, finishes

from .episodes import SHOP, web_task

pytestmark = pytest.mark.asyncio(loop_scope="module")


def files(folder: Path) -> list[Path]:
    return [found for found in folder.rglob("*") if found.is_file()]


async def test_a_kept_trace_tells_what_was_done(pool: BrowserPool, tmp_path: Path) -> None:
    path = trace_path(tmp_path / "traces", "round-0001", "a task", 2)
    async with pool.grading_page() as page:
        tracing = Tracing(page.context)
        await tracing.start()
        await page.goto(SHOP)
        await page.get_by_role("link", name="Tea").click()
        assert await tracing.keep(path) == path
        assert await tracing.keep(path) is None
    assert path == tmp_path / "traces" / "round-0001" / "a task-2.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        said = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".trace"))
    assert b"category/tea" in said
    assert files(tmp_path) == [path]


async def test_a_trace_that_cannot_be_kept_is_told_by_the_log_only(
    pool: BrowserPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    async with pool.grading_page() as page:
        tracing = Tracing(page.context)
        await tracing.start()
        assert await tracing.keep(tmp_path / "file" / "t.zip") is None
        assert "no trace" in caplog.text
        tracing = Tracing(page.context)
        await tracing.start()
        await page.context.close()
        assert await tracing.keep(tmp_path / "closed.zip") is None
    assert files(tmp_path) == [tmp_path / "file"]


async def test_only_episodes_that_were_not_solved_leave_their_trace(tmp_path: Path) -> None:
    async def episode(pool: BrowserPool, sample: int, answer: str) -> Trajectory:
        services = Services(ScriptedModel(finishes(answer)), SandboxPool(slots=1), pool, traces=tmp_path)
        verifier = Verifier(kind="exact", spec={"expected": "yes"})
        task = msgspec.structs.replace(web_task(start_url=SHOP), task_id="t", verifier=verifier)
        return await perform(task, WebRuntime(services), services, sample=sample, round="r")

    async with BrowserPool(tracing=True) as pool:
        outcomes = [(await episode(pool, n, answer)).outcome for n, answer in enumerate(("yes", "no"))]
    assert outcomes == ["solved", "unsolved"]
    assert files(tmp_path) == [tmp_path / "r" / "t-1.zip"]
    with zipfile.ZipFile(tmp_path / "r" / "t-1.zip") as archive:
        said = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".trace"))
    assert SHOP.encode() in said
