"""Sessions with a real server that keeps state, hangs, dies and leaves processes behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from runtimes.errors import ConfigurationError, ToolError, ToolUnavailable
from runtimes.tools.mcp import connection, session
from runtimes.tools.mcp.servers import McpRules
from runtimes.tools.mcp.tools import listed
from tests.llm_server.process import ROOT
from tests.runtimes.tools.mcp.servers import (
    PROGRAM,
    call,
    ended,
    gone,
    is_alive,
    pid_in,
    processes_below,
    toolbox,
    unruly,
    workbench,
)

PARENT = """
import asyncio
from tests.runtimes.tools.mcp.servers import call, pid_in, toolbox, unruly, workbench

async def main():
    async with toolbox(unruly()) as box, workbench(box) as bench:
        told = await call(bench, "whoami")
        left = await call(bench, "leave_behind")
        print(pid_in(told), left, told.partition("cwd ")[2].splitlines()[0], flush=True)
        await call(bench, "hang")

asyncio.run(main())
"""
"""A process of its own with a session, to be killed."""


async def test_each_episode_has_a_session_of_its_own_that_lasts_from_call_to_call() -> None:
    async with toolbox(unruly()) as box:
        async with workbench(box) as one, workbench(box) as other:
            assert [await call(one, "count"), await call(one, "count")] == ["1", "2"]
            assert await call(other, "count") == "1"
            pid = pid_in(await call(one, "whoami"))
            assert is_alive(pid)
        assert await ended(pid)


async def test_a_shared_server_has_one_session_which_outlives_episodes() -> None:
    async with toolbox(unruly(shared=True)) as box:
        async with workbench(box) as one:
            assert await call(one, "count") == "1"
        async with workbench(box) as other:
            assert await call(other, "count") == "2"
            pid = pid_in(await call(other, "whoami"))
    assert await ended(pid)


async def test_nothing_is_started_for_an_episode_that_makes_no_call() -> None:
    async with toolbox(unruly()) as box, workbench(box):
        tools, _ = box.toolset(["unruly"], [])
        assert "unruly__count" in {tool.name for tool in tools}
        assert all(PROGRAM.name not in _command(pid) for pid in processes_below(os.getpid()))


async def test_a_server_that_dies_in_a_call_is_told_and_the_next_call_starts_it_anew() -> None:
    async with toolbox(unruly()) as box, workbench(box) as bench:
        assert await call(bench, "count") == "1"
        with pytest.raises(ToolUnavailable, match=r"broke off.*the disk is on fire.*not known") as died:
            await call(bench, "die")
        assert (died.value.error_type, died.value.error_class) == ("system_error", "crashed")
        assert await call(bench, "count") == "1"


async def test_a_call_to_a_shared_server_that_died_meanwhile_is_made_again() -> None:
    async with toolbox(unruly(shared=True)) as box, workbench(box) as bench:
        pid = pid_in(await call(bench, "whoami"))
        os.kill(pid, signal.SIGKILL)
        assert await ended(pid)
        assert pid_in(await call(bench, "whoami")) != pid


@pytest.mark.parametrize("shared", [True, False])
async def test_a_call_that_hangs_its_server_is_that_calls_doing_and_the_server_is_replaced(
    shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ANSWER_SECONDS", 1.0)
    async with toolbox(unruly(shared=shared, timeout=1.0)) as box, workbench(box) as bench:
        hung = pid_in(await call(bench, "whoami"))
        with pytest.raises(ToolError, match="no answer within 1 s, though it answers now") as late:
            await call(bench, "hang")
        assert late.value.error_type == "timeout"
        assert not bench.unavailable
        assert pid_in(await call(bench, "whoami")) != hung
        assert await ended(hung)


async def test_a_server_that_hangs_and_cannot_be_had_again_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.5)
    once = unruly(timeout=0.5, env={"UNRULY_ONCE": str(tmp_path / "started")})
    async with toolbox(once) as box, workbench(box) as bench:
        with pytest.raises(ToolUnavailable, match=r"no answer within 0\.5 s"):
            await call(bench, "hang")
        assert bench.unavailable == {"unruly__hang"}


async def test_an_error_within_a_server_that_is_in_order_is_the_calls_doing() -> None:
    async with toolbox(unruly()) as box, workbench(box) as bench:
        assert await call(bench, "count") == "1"
        with pytest.raises(ToolError, match="failed: no method") as failed:
            await call(bench, "fail")
        assert not isinstance(failed.value, ToolUnavailable)
        assert await call(bench, "count") == "2"


async def test_those_who_waited_for_a_server_that_does_not_start_share_the_one_try(tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    code = (
        f"open({str(tries)!r}, 'a').write('x'); import time; time.sleep(0.2); raise SystemExit('no database')"
    )
    broken = unruly(command=(sys.executable, "-c", code), shared=True)
    async with toolbox(broken) as box, workbench(box) as bench:
        failed = await asyncio.gather(*(call(bench, "count") for _ in range(4)), return_exceptions=True)
        assert ["no database" in str(each) for each in failed] == [True] * 4
        assert tries.read_text() == "x"


async def test_a_cancelled_episode_leaves_no_process_not_even_one_that_hides() -> None:
    async with toolbox(unruly()) as box:
        pids: list[int] = []
        at_work = asyncio.Event()

        async def work() -> None:
            async with workbench(box) as bench:
                pids.append(pid_in(await call(bench, "whoami")))
                pids.append(int(await call(bench, "leave_behind")))
                at_work.set()
                await call(bench, "hang")

        episode = asyncio.create_task(work())
        await at_work.wait()
        assert all(map(is_alive, pids))
        episode.cancel()
        await asyncio.wait([episode])
        assert episode.cancelled()
        assert await ended(*pids)


async def test_when_we_are_killed_the_server_and_what_it_left_end_with_their_folder() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout is not None
    server, left, folder = (await parent.stdout.readline()).decode().split()
    assert is_alive(int(server))
    parent.kill()
    await parent.wait()
    assert await ended(int(server), int(left))
    assert await gone(folder)


async def test_a_server_sees_nothing_of_our_environment_and_works_in_its_own_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    server = unruly(env={"TOKEN": "Bearer ${github}", "PRICE": "5$"})
    async with toolbox(server, secrets={"github": "s3cret"}) as box, workbench(box) as bench:
        told = await call(bench, "whoami")
        folder = told.partition("cwd ")[2].splitlines()[0]
        assert "sk-planted" not in told
        assert {"TOKEN=Bearer s3cret", "PRICE=5$", f"HOME={folder}", f"TMPDIR={folder}"} <= set(
            told.split("\n")
        )
    assert await gone(folder)


async def test_a_long_answer_is_cut_in_the_middle_and_the_cut_is_marked() -> None:
    async with toolbox(unruly()) as box, workbench(box) as bench:
        text = await call(bench, "big", characters=1_000_000)
    assert (text[0], text[-1]) == ("a", "z")
    assert "characters cut" in text
    assert len(text) < 10_000


async def test_what_a_server_says_besides_its_messages_is_no_message_but_told_when_it_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = f"import runpy; runpy.run_path({str(PROGRAM)!r}, run_name='__main__')"
    talkative = unruly(command=(sys.executable, "-c", f"print('Loading...', flush=True); {run}"))
    async with toolbox(talkative) as box, workbench(box) as bench:
        assert await call(bench, "count") == "1"
        with pytest.raises(ToolUnavailable, match=r"Loading\.\.\."):
            await call(bench, "die")
    assert "Failed to parse" not in caplog.text


async def test_a_message_without_an_end_ends_the_server_before_it_fills_our_memory() -> None:
    async with toolbox(unruly()) as box, workbench(box) as bench:
        pid = pid_in(await call(bench, "whoami"))
        with pytest.raises(ToolError, match="It wrote a message of more than 16 MB"):
            await call(bench, "flood")
        assert not bench.unavailable  # how much is asked for is in the arguments
        assert await ended(pid)


async def test_what_the_server_calls_wrong_is_the_agents_error_and_opens_no_breaker() -> None:
    async with toolbox(unruly()) as box, workbench(box) as bench:
        for _ in range(8):
            with pytest.raises(ToolError, match="no such city") as wrong:
                await call(bench, "refuse", reason="no such city")
            assert not isinstance(wrong.value, ToolUnavailable)
        assert await call(bench, "count") == "1"


async def test_a_server_that_does_not_start_says_why_and_is_cut_off_for_a_while() -> None:
    broken = unruly(command=(sys.executable, "-c", "import sys; sys.exit('no database')"))
    async with toolbox(broken) as box, workbench(box) as bench:
        for _ in range(5):
            with pytest.raises(ToolUnavailable, match=r"could not be opened(?s:.*)no database"):
                await call(workbench(box), "count")
        with pytest.raises(ToolUnavailable, match=r"unruly__whoami is cut off for \d+ s more"):
            await call(bench, "whoami")


async def test_a_server_that_never_lists_its_tools_is_given_up_and_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "OPEN_SECONDS", 2.0)
    server = unruly(env={"UNRULY_HIDES": "1"})
    with pytest.raises(ConfigurationError, match="no answer within 2 s"):
        await listed(server, McpRules((sys.executable,)))
    assert not [pid for pid in processes_below(os.getpid()) if PROGRAM.name in _command(pid)]


async def test_a_program_that_is_no_longer_allowed_is_not_started() -> None:
    forbidden = unruly(command=("/bin/sh", "-c", "exit"))
    async with toolbox(forbidden) as box, workbench(box) as bench:
        with pytest.raises(ToolUnavailable, match=r"/bin/sh.*not allowed here.*MCP_ALLOWED_COMMANDS"):
            await call(bench, "count")


async def test_a_server_that_cannot_even_be_guarded_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("runtimes.tools.mcp.transports.GUARD", tmp_path / "gone.py")
    async with toolbox(unruly()) as box, workbench(box) as bench:
        with pytest.raises(ToolUnavailable, match="could not be opened"):
            await call(bench, "count")
    assert os.listdir(tmp_path) == []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
