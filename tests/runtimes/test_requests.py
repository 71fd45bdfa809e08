"""What a trajectory says its model was sent, against what a server over HTTP received, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runtimes.agent import CUT_OFF, EMPTY
from runtimes.builtin import CodeRuntime, ReasoningRuntime
from runtimes.contracts import Message, Runtime, Trajectory, trajectory_from_json, trajectory_to_json
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from sandbox import Limits, SandboxPool
from tests.llm_server.replies import Answer, estimated_tokens
from tests.runtimes.recording_server import RecordingServer, cut_off, messages_in, recording_server, refusal
from tests.runtimes.scripted import call, code_task, error_types, finishes, reasoning_task, runs, says

SIGNATURE = {"extra_content": {"google": {"thought_signature": "Ev4BCvsB0e2r/+=="}}}
SHOP = "http://shop.test/"


async def sent(
    *answers: Message | Answer,
    kind: Callable[[Services], Runtime] = CodeRuntime,
    context_tokens: int | None = None,
    **fields: Any,
) -> tuple[Trajectory, RecordingServer]:
    """One episode and its server, whose requests are compared with those of the trajectory, read again."""
    task = (code_task if kind is CodeRuntime else reasoning_task)(**{"max_steps": 40, **fields})
    async with recording_server(*answers) as server:
        services = Services(
            server.client(),
            SandboxPool(slots=2),
            BrowserPool(),
            Limits(wall_seconds=5),
            context_tokens=context_tokens,
        )
        async with services:
            trajectory = await kind(services).execute(task)
        await check(server, trajectory)
    return trajectory, server


async def check(server: RecordingServer, trajectory: Trajectory) -> None:
    """Send every rebuilt request by the same client: the server gets the same bytes as in the episode."""
    rebuilt = trajectory_from_json(trajectory_to_json(trajectory)).requests()
    bodies = server.messages()
    again = len(server.bodies)
    client = server.client()
    try:
        for request in rebuilt:
            await client.complete(request)
    finally:
        await client.aclose()
    assert [messages_in(body) for body in server.bodies[again:]] == bodies


async def test_every_kind_of_reply_and_what_came_of_it() -> None:
    trajectory, server = await sent(
        says("", reasoning_content="思考: \u2028 let me see…"),
        says(None, {**call("python_executor", {"code": "print('数' * 3)"}, "a"), **SIGNATURE}),
        says("Two.", call("magic", {}, "b"), call("python_executor", {"code": "1 / 0"}, "c")),
        says(None, call("python_executor", '{"code": ', ""), call("python_executor", '{"code": 7}', "")),
        says(None, {"function": {"name": "python_executor", "arguments": {"code": "6 * 7"}}}),
        cut_off(says("I would now explain at length that")),
        runs("print('\\x00\\x1b[1m é \\ud83d')"),
        {**runs("2 ** 70"), "usage_hint": {"seed": 2**70, "temperature": 1e22, "top_p": 0.1}},
        says("Both.", call("file_operations", {"operation": "list"}, "d"), *finishes()["tool_calls"]),
    )
    assert len(server.bodies) > 9
    assert trajectory.metadata["ended_by"] == "answer"
    assert trajectory.steps[0].observation == EMPTY
    assert CUT_OFF in [step.observation for step in trajectory.steps]


async def test_an_episode_on_pages_and_in_the_sandbox() -> None:
    trajectory, _ = await sent(
        says(None, call("goto", {"url": f"{SHOP}category/tea"}, "a"), call("scroll", {"direction": "down"})),
        runs("total = 1"),
        says(None, call("click", {"ref": "e999"})),
        says(None, call("goto", {"url": "/orders"})),
        finishes("seen"),
        kind=ReasoningRuntime,
        constraints={"start_url": SHOP},
    )
    assert error_types(trajectory) == [None, None, None, "browser_error", None, None]


async def test_observations_cut_for_a_small_window_and_cut_again_after_a_refusal() -> None:
    prints = [runs(f"print('line {turn} ' * 700)", f"c{turn}") for turn in range(12)]
    trajectory, server = await sent(*prints[:9], refusal(), *prints[9:], finishes(), context_tokens=6000)
    assert trajectory.final_result == "done"
    assert len(trajectory.requests()) == 13
    assert max(map(estimated_tokens, server.messages())) < 6000
    turns = {trim.turn for trim in trajectory.trims}
    assert 9 in turns, "the turn whose first request was refused"
    assert 2 < len(turns) < 12, "a cut lasts for some turns"
    assert all(len(step.observation) > 4000 for step in trajectory.steps[:-1])


async def test_a_first_page_that_is_too_long_is_cut_and_the_task_is_not() -> None:
    trajectory, server = await sent(
        says(None, call("goto", {"url": "/orders"})),
        says(None, call("goto", {"url": "/"})),
        finishes(),
        kind=ReasoningRuntime,
        context_tokens=7000,
        description="What does 龙井 cost?",
        constraints={"start_url": f"{SHOP}orders"},
    )
    assert 0 in {trim.step_id for trim in trajectory.trims}
    assert all(b"\xe9\xbe\x99\xe4\xba\x95" in messages for messages in server.messages())


async def test_the_nudge_of_a_loop() -> None:
    trajectory, _ = await sent(*[runs("print(1)")] * 4, finishes())
    assert trajectory.metadata["loop_nudges"] == [3]


@pytest.mark.parametrize("end", [refusal(), Answer(500, b"{}")])
async def test_a_request_that_got_no_reply_is_not_among_them(end: Answer) -> None:
    async with (
        recording_server(runs("print('x' * 3000)"), end) as server,
        Services(server.client(), SandboxPool(slots=2), BrowserPool()) as services,
    ):
        trajectory = await CodeRuntime(services).execute(code_task())
    assert len(trajectory.requests()) == len(server.answered) == 1
    assert trajectory.metadata["ended_by"] == ("infrastructure" if end.status == 500 else "context_length")
