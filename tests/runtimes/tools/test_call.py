"""One call of a tool: its time limit, its own failures told from the agent's, its circuit breaker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtimes.breaker import Breaker
from runtimes.builtin import ReasoningRuntime
from runtimes.contracts import Verifier
from runtimes.errors import ToolError, ToolUnavailable
from runtimes.perform import perform
from runtimes.services import Services
from runtimes.tools.base import Tool, ToolFunction, Workbench, parameters
from runtimes.tools.call import call_tool
from runtimes.tools.toolbox import Toolbox
from tests.runtimes.scripted import ScriptedModel, call, code_task, finishes, reasoning_task, says, services


def tool(function: ToolFunction, **fields: Any) -> Tool:
    return Tool("weather", "It rains.", parameters(), "tool_call", function, **fields)


def workbench() -> Workbench:
    return Workbench(code_task(), Services(None, None, None))  # type: ignore[arg-type]


async def waits(bench: Workbench, /, **arguments: Any) -> str:
    await asyncio.Event().wait()
    return "never"


async def answers(bench: Workbench, /, **arguments: Any) -> str:
    return f"it rains {arguments}"


async def down(bench: Workbench, /, **arguments: Any) -> str:
    raise ToolUnavailable("network_error", "The weather station does not answer.")


class Stocked(Toolbox):
    """A toolbox with a tool more, as an entry point would add it."""

    def __init__(self, more: Tool) -> None:
        super().__init__()
        self.more = more

    def all(self) -> dict[str, tuple[Tool, ...]]:
        return {**super().all(), self.more.name: (self.more,)}


async def test_arguments_may_have_any_name() -> None:
    odd = {"bench": 1, "self": 2, "not an identifier": 3}
    assert await call_tool(tool(answers), workbench(), odd) == f"it rains {odd}"


async def test_a_call_that_takes_longer_than_its_tools_limit_is_the_tools_failure() -> None:
    with pytest.raises(ToolUnavailable, match=r"weather gave no answer within 0.001 s") as late:
        await call_tool(tool(waits, timeout=0.001), workbench(), {})
    assert late.value.error_type == "timeout"


async def test_a_tool_that_keeps_its_time_itself_may_wait_for_its_turn_longer() -> None:
    async def waits_its_turn(bench: Workbench) -> str:
        await asyncio.sleep(0.01)
        return "it rains"

    patient = tool(waits_its_turn, timeout=0.001, keeps_time=True)
    assert await call_tool(patient, workbench(), {}) == "it rains"


async def test_a_cancellation_is_no_timeout_and_counts_as_no_failure() -> None:
    bench = workbench()
    for _ in range(6):
        waiting = asyncio.create_task(call_tool(tool(waits, timeout=60.0), bench, {}))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
    assert bench.services.toolbox.breaker(tool(waits)).state == "closed"


async def test_a_tool_whose_calls_fail_is_cut_off_for_all_episodes_and_tried_again_later() -> None:
    down = True
    calls = 0

    async def fails(bench: Workbench) -> str:
        nonlocal calls
        calls += 1
        if down:
            raise ToolUnavailable("network_error", "The weather station does not answer.")
        return "it rains"

    now = 0.0
    services = Services(None, None, None)  # type: ignore[arg-type]
    services.toolbox._breakers["weather"] = Breaker(clock=lambda: now)
    for _ in range(5):
        with pytest.raises(ToolUnavailable, match="station"):
            await call_tool(tool(fails), Workbench(code_task(), services), {})
    with pytest.raises(ToolUnavailable, match="weather is cut off for 30 s more"):
        await call_tool(tool(fails), Workbench(code_task(), services), {})
    assert calls == 5
    now, down = 31.0, False
    assert await call_tool(tool(fails), Workbench(code_task(), services), {}) == "it rains"


async def test_one_episode_cannot_take_a_tool_from_all_others() -> None:
    shared = Services(None, None, None)  # type: ignore[arg-type]
    bench = Workbench(code_task(), shared)
    for _ in range(20):
        with pytest.raises(ToolUnavailable, match="station"):
            await call_tool(tool(down), bench, {})
    assert await call_tool(tool(answers), Workbench(code_task(), shared), {}) == "it rains {}"


async def test_mistakes_of_agents_cut_nothing_off() -> None:
    async def refuses(bench: Workbench) -> str:
        raise ToolError("runtime_error", "There is no such city.")

    bench = workbench()
    for _ in range(20):
        with pytest.raises(ToolError, match="no such city"):
            await call_tool(tool(refuses), bench, {})


async def test_what_a_tool_keeps_is_made_once_and_closed_with_the_episode() -> None:
    closed: list[str] = []

    class Session:
        def __init__(self) -> None:
            self.calls = 0

        async def aclose(self) -> None:
            closed.append("session")

    async def counts(bench: Workbench) -> str:
        session = bench.kept("counter", Session)
        session.calls += 1
        return str(session.calls)

    async with workbench() as bench:
        assert [await call_tool(tool(counts), bench, {}) for _ in range(2)] == ["1", "2"]
        assert closed == []
    assert closed == ["session"]


@pytest.mark.parametrize(("answer", "outcome"), [("42", "solved"), ("41", "infrastructure_error")])
async def test_a_task_that_is_not_solved_while_a_tool_was_down_had_no_fair_try(
    answer: str, outcome: str
) -> None:
    model = ScriptedModel(says(None, call("weather")), finishes(answer))
    verifier = Verifier("exact", {"expected": "42"})
    task = reasoning_task(expected_tools=["weather"], verifier=verifier)
    async with services(model) as opened:
        opened.toolbox = Stocked(tool(down))
        trajectory = await perform(task, ReasoningRuntime(opened), opened, sample=0, round="r")
    assert trajectory.outcome == outcome
    assert trajectory.metadata["unavailable_tools"] == ["weather"]
    if outcome != "solved":
        assert "tools failed meanwhile: weather" in str(trajectory.error_message)
