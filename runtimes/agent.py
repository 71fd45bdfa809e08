"""The agent loop of every built-in runtime: messages to the model, tool calls out, observations back."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from runtimes.contracts import ExecutionStep, Message, TaskSpec, Trajectory, WebRecord
from runtimes.errors import InfrastructureError, ModelRefused, ToolError
from runtimes.llm.base import Reply, Sampling
from runtimes.prompts import episode_messages, prompt_hash
from runtimes.text import well_formed
from runtimes.tools.base import COMPLETE_TASK, Tool, Workbench
from runtimes.tools.page_actions import FINISH
from runtimes.version import code_version

if TYPE_CHECKING:
    from runtimes.web.page.page import WebPage

NUDGE = "Your reply was empty. Call a tool, or call complete_task with the final answer."
MAX_EMPTY_REPLIES = 2

OUT_OF_STEPS = "No complete_task"
OUT_OF_TIME = "The task's time limit"
"""How the messages of episodes begin that a limit of the task ended; the limit follows."""


class Episode:
    """One task being solved by one agent; what happened so far survives a timeout or a fault.

    `run` gives the trajectory without a verdict: grading is somebody else's work.
    """

    def __init__(
        self,
        task: TaskSpec,
        tools: list[Tool],
        bench: Workbench,
        *,
        missing_tools: list[str],
        sampling: Sampling,
        starts_on_page: bool,
    ) -> None:
        self.task = task
        self.tools = {tool.name: tool for tool in tools}
        self.schemas = [tool.schema() for tool in tools]
        self.bench = bench
        self.missing_tools = missing_tools
        self.sampling = sampling
        self.starts_on_page = starts_on_page
        self.steps: list[ExecutionStep] = []
        self.prompt: list[Message] = []
        self.answer: str | None = None
        self.done = False
        self.start_page: WebRecord | None = None
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cost_usd: float | None = None

    async def run(self, runtime_id: str, *, sample: int, round: str) -> Trajectory:
        """Work until the task is complete, or out of steps or time, or the platform fails.

        Raises ModelRefused: no other episode could go better.
        """
        trajectory = Trajectory(task_id=self.task.task_id, runtime_id=runtime_id, created_at=time.time())
        clock = time.monotonic()
        try:
            # Outside the task's time limit: waiting for a free page is our doing, and opening it has a
            # limit of its own.
            page = await self._first_page() if self.starts_on_page else None
            clock = time.monotonic()
            await self._work_in_time(page)
            if not self.done:
                trajectory.error_type = "runtime_error"
                trajectory.error_message = f"{OUT_OF_STEPS} within {self.task.max_steps} steps."
        except ToolError as error:
            trajectory.error_type, trajectory.error_message = error.error_type, str(error)
        except ModelRefused:
            raise
        except InfrastructureError as error:
            trajectory.outcome = "infrastructure_error"
            trajectory.error_type, trajectory.error_message = error.error_type, str(error)
        self._fill(trajectory, sample=sample, round=round)
        trajectory.total_duration = time.monotonic() - clock
        return trajectory

    async def _work_in_time(self, page: str | None) -> None:
        """Raises ToolError of type timeout at the task's time limit; the step it cut off says so, too."""
        try:
            async with asyncio.timeout(self.task.timeout) as deadline:
                await self._work(page)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            reason = f"{OUT_OF_TIME} of {self.task.timeout} s was reached."
            step = self.steps[-1] if self.steps else None
            if step is not None and not step.success and step.error_type is None:
                step.error_type, step.error_message = "timeout", reason
            raise ToolError("timeout", reason) from error

    def _fill(self, trajectory: Trajectory, *, sample: int, round: str) -> None:
        model = self.bench.model
        trajectory.steps = self.steps
        trajectory.final_result = self.answer
        trajectory.task_type = self.task.task_type
        trajectory.round, trajectory.sample = round, sample
        trajectory.model = model.model
        trajectory.teacher = model.provider
        trajectory.sampling = msgspec.to_builtins(self.sampling)
        trajectory.prompt = self.prompt
        trajectory.tools = self.schemas
        trajectory.prompt_hash = prompt_hash(self.prompt, self.schemas)
        trajectory.code_version = code_version()
        trajectory.prompt_tokens = self.prompt_tokens
        trajectory.completion_tokens = self.completion_tokens
        trajectory.cost_usd = self.cost_usd
        trajectory.metadata = {
            "total_steps": len(self.steps),
            "cache_hit": False,
            "teacher": model.provider,
        }
        if self.missing_tools:
            trajectory.metadata["missing_tools"] = self.missing_tools
        if self.task.task_type == "code" and isinstance(self.answer, str):
            trajectory.metadata["code_length"] = len(self.answer)
        if self.start_page is not None:
            trajectory.metadata["start_page"] = msgspec.to_builtins(self.start_page)
        if self.bench.open_page is not None:
            trajectory.metadata["final_url"] = self.bench.open_page.url

    async def _work(self, page: str | None) -> None:
        self.prompt = episode_messages(self.task, self.missing_tools, page)
        messages = list(self.prompt)
        empty_replies = 0
        turn = -1
        while len(self.steps) < self.task.max_steps:
            turn += 1
            reply = await self.bench.model.complete(messages, tools=self.schemas, sampling=self.sampling)
            messages.append(reply.message)
            self._count(reply)
            calls = reply.message.get("tool_calls") or []
            if calls:
                empty_replies = 0
                messages += await self._carry_out(reply, calls, turn)
                if self.done:
                    return
            elif text := (reply.message.get("content") or "").strip():
                self._new_step(reply, turn).success = True
                self.answer, self.done = text, True
                return
            else:
                empty_replies += 1
                step = self._record_empty(reply, turn)
                if empty_replies >= MAX_EMPTY_REPLIES:
                    raise ToolError("runtime_error", "The model gave empty replies only.")
                step.observation = NUDGE
                messages.append({"role": "user", "content": NUDGE})

    async def _first_page(self) -> str:
        try:
            page = await self.bench.page()
            self.start_page = page.start_record
            return await page.observe()
        except ToolError as error:
            return f"The start page could not be opened: {error}"

    def _count(self, reply: Reply) -> None:
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        if reply.cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + reply.cost_usd

    async def _carry_out(self, reply: Reply, calls: list[dict[str, Any]], turn: int) -> list[Message]:
        """Carry out one reply's calls in order, each a step; the tool messages for the model."""
        answers: list[Message] = []
        for index, call in enumerate(calls):
            step = self._new_step(reply if index == 0 else None, turn)
            step.tool_call_id = str(call.get("id") or f"call_{turn}_{index}")
            page = self.bench.open_page
            clock = time.monotonic()
            try:
                await self._call(call, step)
            except ToolError as error:
                step.error_type, step.error_message = error.error_type, well_formed(str(error))
                step.observation = f"error ({step.error_type}): {step.error_message}"
            except InfrastructureError as error:
                step.error_type, step.error_message = error.error_type, well_formed(str(error))
                raise
            finally:
                step.duration = time.monotonic() - clock
                self._record_page(step, page)
            if self.done or len(self.steps) >= self.task.max_steps:
                break
            answers.append({"role": "tool", "tool_call_id": step.tool_call_id, "content": step.observation})
        return answers

    async def _call(self, call: dict[str, Any], step: ExecutionStep) -> None:
        function = call.get("function") or {}
        name = step.tool_name = str(function.get("name"))
        if name not in self.tools:
            raise ToolError(
                "runtime_error", f"There is no tool {name!r}.", f"Tools: {', '.join(self.tools)}."
            )
        tool = self.tools[name]
        step.action_type = tool.action_type
        arguments = parse_arguments(tool, function.get("arguments"))
        step.action_params = tool.action_params(arguments)
        if name in {COMPLETE_TASK, FINISH}:
            self.answer, self.done = arguments["answer"], True
        if name != COMPLETE_TASK:
            observation = await tool.function(self.bench, **arguments)
            step.observation = None if self.done else well_formed(observation)
        step.success = True

    def _record_page(self, step: ExecutionStep, before: WebPage | None) -> None:
        """Give the step its record: of the page it was done on, which may have been replaced meanwhile."""
        now = self.bench.open_page
        if now is None:
            return
        if self.start_page is None:
            self.start_page = now.start_record
        step.web = (before.take_record() if before is not None else None) or now.take_record()

    def _new_step(self, reply: Reply | None, turn: int) -> ExecutionStep:
        step = ExecutionStep(
            step_id=len(self.steps) + 1,
            action_type="tool_call",
            observation=None,
            success=False,
            timestamp=time.time(),
            turn=turn,
        )
        if reply is not None:
            step.message = reply.message
            step.thought = thought_of(reply.message)
            step.prompt_tokens = reply.prompt_tokens
            step.completion_tokens = reply.completion_tokens
            step.cost_usd = reply.cost_usd
        self.steps.append(step)
        return step

    def _record_empty(self, reply: Reply, turn: int) -> ExecutionStep:
        step = self._new_step(reply, turn)
        step.error_type = "runtime_error"
        step.error_message = "The reply held neither text nor a tool call."
        return step


def thought_of(message: Message) -> str:
    """What the model said beside its calls: its reasoning where the provider gives it, then its text."""
    parts = [message.get("reasoning_content") or "", message.get("content") or ""]
    return "\n\n".join(part for part in parts if isinstance(part, str) and part)


def parse_arguments(tool: Tool, raw: Any) -> dict[str, Any]:
    """The call's arguments, checked against the tool's schema.

    Raises ToolError with a message the model can mend its call by.
    """
    try:
        arguments = msgspec.json.decode(raw) if isinstance(raw, str) and raw else raw
    except (msgspec.DecodeError, RecursionError) as error:
        raise ToolError(
            "runtime_error", f"The arguments of {tool.name} are not JSON: {error}.", "Send one JSON object."
        ) from error
    arguments = {} if raw in (None, "") else arguments
    fault = best_match(Draft202012Validator(tool.parameters).iter_errors(arguments))
    if fault is not None:
        place = fault.json_path.removeprefix("$").removeprefix(".")
        raise ToolError(
            "runtime_error",
            f"Wrong arguments for {tool.name}{f' at {place}' if place else ''}: {fault.message}.",
        )
    assert isinstance(arguments, dict)
    return arguments
