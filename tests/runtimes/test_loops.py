"""What is a loop and what is not, and what becomes of an episode in one."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from runtimes.contracts import ExecutionStep, Message
from runtimes.loops import END_AFTER, NUDGE_AFTER, PATIENCE, Loops
from tests.runtimes.scripted import (
    ScriptedModel,
    call,
    code_task,
    episode,
    finishes,
    reasoning_episode,
    runs,
    says,
)

Turn = list[tuple[str, dict[str, Any], str]]


def rounds(*turns: Turn) -> list[int]:
    """How many rounds of a loop there are after each turn, 0 where there is none."""
    loops, found = Loops(), []
    for turn in turns:
        steps = [
            ExecutionStep(
                step_id=at,
                action_type="tool_call",
                tool_name=name,
                action_params=arguments,
                observation=seen,
                success=True,
            )
            for at, (name, arguments, seen) in enumerate(turn)
        ]
        loop = loops.heed(steps)
        found.append(loop.rounds if loop else 0)
    return found


def click(ref: str, seen: str) -> Turn:
    return [("click", {"ref": ref}, seen)]


def test_the_same_call_with_the_same_result_is_a_loop_from_the_third_time_on() -> None:
    assert rounds(*[click("e1", "nothing")] * 4) == [0, 0, 3, 4]


@pytest.mark.parametrize("length", [2, 3])
def test_a_few_calls_in_turn_are_a_loop_from_the_third_round_on(length: int) -> None:
    cycle = [click(f"e{n}", f"page {n}") for n in range(length)]
    found = rounds(*cycle * 3)
    assert found == [0] * (3 * length - 1) + [3]


def test_four_calls_in_turn_are_not() -> None:
    assert not any(rounds(*[click(f"e{n}", "page") for n in range(4)] * 5))


@pytest.mark.parametrize(
    "turns",
    [
        [click("next", f"page {n} of 9") for n in range(9)],
        [[("scroll", {"direction": "down"}, f"rows {n} to {n + 9}")] for n in range(9)],
        [[("wait_for", {"seconds": 5}, f"{n} % done")] for n in range(9)],
        [click(f"e{n}", "nothing") for n in range(9)],
        [click("e1", "nothing"), click("e1", "nothing"), click("e2", "other")] * 2,
    ],
    ids=["pagination", "scrolling", "waiting", "other elements", "twice each time"],
)
def test_what_changes_is_no_loop_however_often_the_call_is_the_same(turns: list[Turn]) -> None:
    assert not any(rounds(*turns))


@pytest.mark.parametrize("name", ["scroll", "press", "wait_for", "reload"])
def test_waiting_and_scrolling_may_show_the_same_for_longer(name: str) -> None:
    turn: Turn = [(name, {}, "the same page")]
    found = rounds(*[turn] * NUDGE_AFTER * PATIENCE)
    assert [at for at, many in enumerate(found, 1) if many] == [NUDGE_AFTER * PATIENCE]


def test_refs_and_addresses_that_differ_at_each_look_do_not_hide_a_loop() -> None:
    seen = [f"- button [ref=f{n}e2]\n<object at 0x7f00ab{n:02x}>" for n in range(3)]
    assert rounds(*[click("e1", one) for one in seen])[-1] == 3


def test_calls_of_one_reply_are_one_turn() -> None:
    same = click("e1", "nothing")[0]
    assert rounds([same] * 9) == [0]
    assert rounds([same, same], [same, same], [same, same]) == [0, 0, 3]


async def test_a_loop_is_told_to_the_agent_once_which_may_still_mend_its_ways() -> None:
    trajectory, model = await episode(*[runs("print(1)")] * 4, runs("print(2)"), finishes("2"))
    told = [step for step in trajectory.steps if "given the same result" in str(step.observation)]
    assert [step.step_id for step in told] == trajectory.metadata["loop_nudges"] == [NUDGE_AFTER]
    assert model.requests[NUDGE_AFTER][-1]["content"] == told[0].observation
    assert (trajectory.final_result, trajectory.metadata["ended_by"]) == ("2", "answer")


@pytest.mark.parametrize(
    "cycle",
    [
        [runs("1 / 0")],
        [says(None, call("magic", {}))],
        [says(None, call("python_executor", '{"code": '))],
        [runs("print('a')"), runs("print('b')")],
    ],
    ids=["error", "unknown tool", "not JSON", "two in turn"],
)
async def test_an_endless_loop_ends_the_episode_by_name(cycle: list[Message]) -> None:
    model = ScriptedModel(*itertools.islice(itertools.cycle(cycle), 30))
    trajectory, model = await episode(*model.turns, task=code_task(max_steps=30))
    assert len(model.requests) == END_AFTER * len(cycle)
    assert (trajectory.error_type, trajectory.metadata["ended_by"]) == ("runtime_error", "loop")
    assert f"the same result {END_AFTER} times" in str(trajectory.error_message)
    assert trajectory.finished


async def test_a_list_that_is_paged_through_is_no_loop() -> None:
    shop = "http://shop.test/orders"
    pages = [says(None, call("goto", {"url": f"{shop}?page={n}"})) for n in (1, 2, 3)]
    scrolls = [says(None, call("scroll", {"direction": "down"}))] * 5
    trajectory, _ = await reasoning_episode(
        *pages, *scrolls, finishes("read"), constraints={"start_url": shop}, max_steps=20
    )
    assert trajectory.final_result == "read"
    assert "loop_nudges" not in trajectory.metadata
