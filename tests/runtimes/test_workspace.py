"""Sandboxes and browsers that are really killed in the middle of episodes, which go on or end as ours."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from runtimes.builtin import ReasoningRuntime
from runtimes.contracts import Message
from runtimes.errors import InfrastructureError, ToolError
from runtimes.tools.base import Workbench
from runtimes.tools.code import run_python, run_shell
from runtimes.tools.files import operate_on_files
from runtimes.tools.workspace import MAX_LOSSES, MOST_BYTES
from tests.runtimes.scripted import (
    ScriptedModel,
    call,
    code_task,
    error_types,
    finishes,
    reasoning_task,
    runs,
    says,
    services,
)
from tests.runtimes.web.processes import browsers
from tests.sandbox.conftest import inits, seen


def kill_slots() -> None:
    """End every slot of this process, and wait until they are gone."""
    for init in inits():
        if "chrom" not in init.name():
            init.kill()
            init.wait()


def then(kill: Callable[[], None], turn: Message) -> Callable[[], Awaitable[Message]]:
    """A turn of a scripted model that comes after something was killed."""

    async def reply() -> Message:
        kill()
        return turn

    return reply


@pytest.fixture
async def bench() -> AsyncIterator[Workbench]:
    async with services(ScriptedModel(finishes())) as opened, Workbench(code_task(), opened) as bench:
        yield bench


async def test_variables_and_files_last_from_call_to_call_whatever_tool_makes_them(bench: Workbench) -> None:
    await run_python(bench, "import math\nfound = [math.floor(2.5)]\nopen('a.txt', 'w').write('of python')")
    await operate_on_files(bench, "write", "b.txt", "of files")
    assert "of pythonof files" in await run_shell(bench, "cat a.txt b.txt")
    assert "[2, 'of files']" in await run_python(bench, "found.append(open('b.txt').read())\nfound")


async def test_an_episode_whose_slot_is_killed_is_told_and_goes_on_with_its_files() -> None:
    model = ScriptedModel(
        runs("x = 6\nopen('kept.txt', 'w').write('seven')"),
        then(kill_slots, runs("x * 7")),
        runs("open('kept.txt').read()"),
        finishes("seven"),
    )
    async with services(model) as opened:
        trajectory = await ReasoningRuntime(opened).execute(reasoning_task())
        assert opened.sandboxes.lost_slots == 1
    assert error_types(trajectory) == [None, "system_error", None, None]
    told = str(trajectory.steps[1].observation)
    assert "Variables and running programs are gone. These files are back: kept.txt." in told
    assert "'seven'" in trajectory.steps[2].observation
    assert (trajectory.final_result, trajectory.error_type) == ("seven", None)


async def test_a_slot_that_dies_under_its_first_call_costs_the_agent_nothing(bench: Workbench) -> None:
    await (await bench.session()).listdir()
    kill_slots()
    assert "42" in await run_python(bench, "6 * 7")


async def test_a_slot_killed_in_the_middle_of_a_call_leaves_what_was_there_before(bench: Workbench) -> None:
    await operate_on_files(bench, "write", "sub/data.csv", "1,2")
    marker = f"marked-{secrets.token_hex(8)}"
    going = asyncio.create_task(run_shell(bench, f"sleep 60; : {marker}"))
    await seen(marker)
    kill_slots()
    with pytest.raises(ToolError, match=r"These files are back: sub/data\.csv") as raised:
        await going
    assert raised.value.error_class == "sandbox_lost"
    assert await operate_on_files(bench, "read", "sub/data.csv") == "1,2"


async def test_a_call_that_was_broken_off_is_told_of_by_the_next(bench: Workbench) -> None:
    await run_python(bench, "x = 1; open('kept', 'w').write('whole')")
    marker = f"marked-{secrets.token_hex(8)}"
    going = asyncio.create_task(run_shell(bench, f"touch late; sleep 60; : {marker}"))
    await seen(marker)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    with pytest.raises(ToolError, match="These files are back: kept"):
        await operate_on_files(bench, "list")
    assert await operate_on_files(bench, "read", "kept") == "whole"


async def test_what_is_too_large_to_be_copied_is_said_to_be_gone(bench: Workbench) -> None:
    await run_python(bench, f"open('large', 'wb').write(bytes({MOST_BYTES + 1})); open('small', 'w')")
    kill_slots()
    with pytest.raises(ToolError, match=r"These files are back: small\. Others are gone\."):
        await run_python(bench, "1")


async def test_sandboxes_that_keep_dying_end_the_episode_as_our_failure(bench: Workbench) -> None:
    await run_python(bench, "x = 1")
    for _ in range(MAX_LOSSES):
        kill_slots()
        with pytest.raises(ToolError, match="No files are back"):
            await run_python(bench, "x = 1")
        await run_python(bench, "x = 1")
    kill_slots()
    with pytest.raises(InfrastructureError, match=f"died {MAX_LOSSES + 1} times"):
        await run_python(bench, "x = 1")


async def test_an_episode_goes_on_after_its_browser_and_its_slot_were_killed() -> None:
    def kill_both() -> None:
        kill_slots()
        for browser in browsers():
            browser.kill()

    shop = "http://shop.test/"
    model = ScriptedModel(
        says(None, call("goto", {"url": f"{shop}category/tea"})),
        runs("open('seen.txt', 'w').write('tea')"),
        then(kill_both, runs("open('seen.txt').read()")),
        says(None, call("scroll", {"direction": "down"})),
        runs("open('seen.txt').read()"),
        says(None, call("scroll", {"direction": "down"})),
        finishes("tea"),
    )
    task = reasoning_task(constraints={"start_url": shop, "recovery": "resume"})
    async with services(model) as opened:
        trajectory = await ReasoningRuntime(opened).execute(task)
    assert error_types(trajectory) == [None, None, "system_error", "browser_error", None, None, None]
    assert "'tea'" in trajectory.steps[4].observation
    assert "Tea" in trajectory.steps[5].observation
    assert (trajectory.final_result, trajectory.metadata["ended_by"]) == ("tea", "answer")
