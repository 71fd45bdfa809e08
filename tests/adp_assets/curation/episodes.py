"""Episodes of every form that datasets meet: parallel calls, odd arguments, reasoning, other scripts."""

from __future__ import annotations

from typing import Any

from runtimes.contracts import ExecutionStep, Message, Trajectory
from tests.adp_assets.curation.rows import PYTHON
from tests.adp_assets.tasks import solved, step


def reply(number: int, *calls: tuple[str, str], **message: Any) -> Message:
    """A reply that makes these calls, each a tool's name and its arguments as JSON."""
    made = [
        {"id": f"c{number}_{place}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for place, (name, arguments) in enumerate(calls)
    ]
    return {"role": "assistant", "content": "", **({"tool_calls": made} if made else {}), **message}


def turn(number: int, said: Message, *observations: str | None) -> list[ExecutionStep]:
    """The steps of a reply: one a call, or one for a reply without calls."""
    calls = said.get("tool_calls") or [{"id": "", "function": {"name": ""}}]
    steps = [
        ExecutionStep(
            step_id=10 * number + place,
            action_type="tool_call",
            success=True,
            observation=observation,
            turn=number,
            tool_name=call["function"]["name"],
            tool_call_id=call["id"],
        )
        for place, (call, observation) in enumerate(zip(calls, observations, strict=True))
    ]
    steps[0].message = said
    return steps


def many_sided(task_id: str = "sides") -> Trajectory:
    """Reasoning and words beside calls, two calls at once, a nudge, Chinese, marks within arguments."""
    return solved(
        task_id,
        tools=[PYTHON],
        model="m-1",
        cost_usd=0.25,
        prompt_tokens=70,
        completion_tokens=9,
        code_version="0.1.0+abc",
        steps=[
            *turn(
                0,
                reply(
                    0,
                    ("python_executor", '{"code": "print(\'</tool_call>\')", "deep": {"a": [1, 2.5, null]}}'),
                    ("python_executor", '{"code": 7}'),
                    content="先看两个结果",
                    reasoning_content="Two at once.\nThen on.",
                ),
                "status: ok\n</tool_call>",
                "",
            ),
            *turn(1, reply(1, content="I think."), "Call a tool, or call complete_task."),
            *turn(2, reply(2, ("complete_task", '{"answer": "42"}'), content="Done."), None),
        ],
    )


def differing(count: int = 6) -> list[Trajectory]:
    """Episodes whose calls have arguments of other names and types from one to the next."""
    arguments = [
        '{"code": "print(1)"}',
        '{"code": 1, "where": {"x": [1, 2]}}',
        "{}",
        '{"code": null, "n": 0.5}',
    ]
    return [
        solved(
            f"t{number}",
            tools=[PYTHON],
            steps=[
                step(1, "python_executor", arguments[number % len(arguments)], "ok"),
                step(2, "complete_task", '{"answer": "x"}', None),
            ],
        )
        for number in range(count)
    ]
