"""A model that says what a test wrote down, and the services and messages that agent tests share."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from runtimes.builtin import CodeRuntime, ReasoningRuntime
from runtimes.contracts import Message, Runtime, TaskSpec, Trajectory
from runtimes.llm.base import Reply, Sampling
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from sandbox import Limits, SandboxPool

Turn = Message | Exception | Callable[[], Any]
"""What a model does when asked: reply, raise, or await something and reply with what that gives."""


class ScriptedModel:
    """Replies with `turns` in order, the last again and again; `requests` are the messages it was sent."""

    provider = "scripted"
    model = "script-1"

    def __init__(self, *turns: Turn) -> None:
        self.turns = list(turns)
        self.requests: list[list[Message]] = []
        self.tools: list[list[str]] = []
        self.samplings: list[Sampling] = []
        self.closed = False

    async def complete(
        self,
        messages: list[Message],
        *,
        tools: list[dict[str, Any]] | None = None,
        sampling: Sampling = Sampling(),
        schema: dict[str, Any] | None = None,
    ) -> Reply:
        self.requests.append(copy.deepcopy(messages))
        self.tools.append([tool["function"]["name"] for tool in tools or []])
        self.samplings.append(sampling)
        turn = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
        if isinstance(turn, Exception):
            raise turn
        if callable(turn):
            turn = await turn()
        return Reply(message=turn, prompt_tokens=10, completion_tokens=3, cost_usd=0.5)

    async def aclose(self) -> None:
        self.closed = True


def call(name: str, arguments: object = None, call_id: str = "c1") -> dict[str, Any]:
    """One tool call; text goes out as it stands, JSON or not."""
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": raw}}


def says(content: str | None = None, *calls: dict[str, Any], **keys: object) -> Message:
    """An assistant message."""
    message: Message = {"role": "assistant", "content": content, **keys}
    return {**message, "tool_calls": list(calls)} if calls else message


def finishes(answer: str = "done") -> Message:
    return says(None, call("complete_task", {"answer": answer}, "end"))


def runs(code: str, call_id: str = "c1") -> Message:
    return says(None, call("python_executor", {"code": code}, call_id))


@asynccontextmanager
async def services(model: ScriptedModel, limits: Limits = Limits(wall_seconds=5)) -> AsyncIterator[Services]:
    """Real pools; the browser starts only when a page is asked for."""
    async with Services(model, SandboxPool(slots=2), BrowserPool(), limits) as opened:
        yield opened


async def episode(
    *turns: Turn,
    task: TaskSpec | None = None,
    kind: Callable[[Services], Runtime] = CodeRuntime,
    limits: Limits = Limits(wall_seconds=5),
) -> tuple[Trajectory, ScriptedModel]:
    """One episode of a scripted model in real sandboxes: its trajectory and the model."""
    model = ScriptedModel(*turns)
    async with services(model, limits) as opened:
        trajectory = await kind(opened).execute(task or code_task(), sample=1, round="r")
    return trajectory, model


def code_task(**fields: Any) -> TaskSpec:
    return TaskSpec(**{"task_type": "code", "description": "Write add(a, b).", **fields}).named()


def reasoning_task(**fields: Any) -> TaskSpec:
    return TaskSpec(**{"task_type": "reasoning", "description": "What is 6 * 7?", **fields}).named()


async def reasoning_episode(*turns: Turn, **fields: Any) -> tuple[Trajectory, ScriptedModel]:
    return await episode(*turns, task=reasoning_task(**fields), kind=ReasoningRuntime)


def error_types(trajectory: Trajectory) -> Sequence[str | None]:
    return [step.error_type for step in trajectory.steps]
