"""The agent loop of every built-in runtime: messages to the model, tool calls out, observations back."""

from __future__ import annotations

import time
from typing import Any

from runtimes.calls import calls_of, completed, parse_arguments, shown
from runtimes.context import Conversation, window_of
from runtimes.contracts import ExecutionStep, Message, TaskSpec, Trajectory
from runtimes.errors import CONTEXT_LENGTH, InfrastructureError, ModelRefused, ToolError
from runtimes.llm.base import Reply, Sampling
from runtimes.loops import Loops
from runtimes.prompts import episode_messages, prompt_hash
from runtimes.record import Record
from runtimes.text import well_formed
from runtimes.tools.base import COMPLETE_TASK, Tool, Workbench
from runtimes.tools.call import call_tool
from runtimes.tools.page_actions import FINISH
from runtimes.version import code_version

EMPTY = "Your reply was empty. Call a tool, or call complete_task with the final answer."
CUT_OFF = (
    "Your reply was cut off: it reached the limit of its length. Say less, and call a tool, or call "
    "complete_task with the final answer."
)
MAX_UNUSABLE_REPLIES = 2
"""In a row, after which the episode ends."""

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
        self.record = Record()
        self.loops = Loops()
        self.prompt: list[Message] = []
        self.conversation: Conversation | None = None
        self.answer: str | None = None
        self.done = False

    async def run(self, runtime_id: str, *, sample: int, round: str) -> Trajectory:
        """Work until the task is complete, or out of steps or time, or the platform fails.

        Raises ModelRefused and BudgetSpent: no further try could go better.
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
            self.record.ended_by = error.error_class or "error"
            trajectory.error_type, trajectory.error_message = error.error_type, str(error)
        except ModelRefused:
            raise
        except InfrastructureError as error:
            self.record.ended_by = "infrastructure"
            trajectory.outcome = "infrastructure_error"
            trajectory.error_type, trajectory.error_message = error.error_type, str(error)
        self._fill(trajectory, sample=sample, round=round)
        trajectory.total_duration = time.monotonic() - clock
        return trajectory

    async def _work_in_time(self, page: str | None) -> None:
        """Raises ToolError of type timeout at the task's time limit; the step it cut off says so, too."""
        try:
            async with self.bench.clock.limited(self.task.timeout):
                await self._work(page)
        except TimeoutError as error:
            if not self.bench.clock.is_over:
                raise
            reason = f"{OUT_OF_TIME} of {self.task.timeout} s was reached."
            self.record.cut_off(reason)
            raise ToolError("timeout", reason, error_class="time") from error

    def _fill(self, trajectory: Trajectory, *, sample: int, round: str) -> None:
        model = self.bench.model
        trajectory.final_result = self.answer
        trajectory.task_type = self.task.task_type
        trajectory.round, trajectory.sample = round, sample
        trajectory.teacher, trajectory.model = self.record.author or (model.provider, model.model)
        trajectory.sampling = self.sampling.taken_by(trajectory.teacher)
        trajectory.prompt = self.prompt
        trajectory.tools = self.schemas
        trajectory.trims = self.conversation.trims if self.conversation is not None else []
        trajectory.prompt_hash = prompt_hash(self.prompt, self.schemas)
        trajectory.code_version = code_version()
        trajectory.metadata = {"cache_hit": False, "teacher": trajectory.teacher}
        if self.bench.unavailable:
            trajectory.metadata["unavailable_tools"] = sorted(self.bench.unavailable)
        if self.missing_tools:
            trajectory.metadata["missing_tools"] = self.missing_tools
        if self.task.task_type == "code" and isinstance(self.answer, str):
            trajectory.metadata["code_length"] = len(self.answer)
        if self.bench.open_page is not None:
            trajectory.metadata["final_url"] = self.bench.open_page.url
        self.record.fill(trajectory)

    async def _work(self, page: str | None) -> None:
        self.prompt = episode_messages(self.task, self.missing_tools, page)
        window = self.bench.services.context_tokens or window_of(self.bench.model.model)
        conversation = self.conversation = Conversation(self.prompt, self.schemas, window)
        unusable = turn = 0
        while len(self.record.steps) < self.task.max_steps:
            reply = await self._ask(conversation, turn)
            message = completed(reply.message, turn)
            step = self.record.reply(turn, reply, message)
            if self.bench.clock.is_over:
                raise TimeoutError
            conversation.reply(step.echo or message)
            text = (message.get("content") or "").strip()
            if calls := calls_of(message):
                unusable = 0
                await self._carry_out(conversation, calls, step)
            elif text and reply.finish_reason != "length":
                step.success = True
                self.answer, self.done = text, True
            else:
                unusable += 1
                self._refuse(conversation, step, CUT_OFF if reply.finish_reason == "length" else EMPTY)
                if unusable >= MAX_UNUSABLE_REPLIES:
                    step.observation = None
                    raise ToolError(
                        "runtime_error",
                        f"No reply could be used: {step.error_message}",
                        error_class="unusable_replies",
                    )
            if self.done:
                self.record.ended_by = "answer"
                return
            turn += 1

    async def _ask(self, conversation: Conversation, turn: int) -> Reply:
        """The model's next reply; the conversation is cut before to fit, and harder where it is refused."""
        conversation.fit(turn)
        try:
            reply = await self._request(conversation)
        except ToolError as error:
            if error.error_class != CONTEXT_LENGTH or not conversation.shrink(turn):
                raise
            reply = await self._request(conversation)
        conversation.counted(reply.prompt_tokens)
        if reply.model and self.bench.services.context_tokens is None:
            conversation.narrow(window_of(reply.model))
        return reply

    async def _request(self, conversation: Conversation) -> Reply:
        return await self.bench.complete(conversation.messages, tools=self.schemas, sampling=self.sampling)

    async def _first_page(self) -> str:
        try:
            page = await self.bench.page()
            self.record.start_page = page.start_record
            return well_formed(await page.observe())
        except ToolError as error:
            return f"The start page could not be opened: {error}"

    async def _carry_out(
        self, conversation: Conversation, calls: list[dict[str, Any]], first: ExecutionStep
    ) -> None:
        """Carry out one reply's calls in order, each a step, and tell the model what came of each."""
        steps: list[ExecutionStep] = []
        for call in calls:
            step = first if not steps else self.record.step(first.turn)
            steps.append(step)
            step.tool_call_id = call["id"]
            await self._step(call, step)
            if self.done or len(self.record.steps) >= self.task.max_steps:
                return
        if loop := self.loops.heed(steps):
            if loop.is_endless:
                raise ToolError("runtime_error", f"The agent is in a loop: {loop}.", error_class="loop")
            if loop.begins:
                steps[-1].observation += f"\n\n{loop.nudge}"
                self.record.nudged.append(steps[-1].step_id)
        for step in steps:
            told = {"role": "tool", "tool_call_id": step.tool_call_id, "content": step.observation}
            conversation.observe(step.step_id, told)

    async def _step(self, call: dict[str, Any], step: ExecutionStep) -> None:
        """Carry out one call and record what came of it. Raises InfrastructureError."""
        page = self.bench.open_page
        clock = time.monotonic()
        try:
            await self._call(call.get("function") or {}, step)
        except ToolError as error:
            step.error_type, step.error_message = error.error_type, well_formed(str(error))
            step.observation = f"error ({step.error_type}): {step.error_message}"
        except InfrastructureError as error:
            step.error_type, step.error_message = error.error_type, well_formed(str(error))
            raise
        finally:
            step.duration = time.monotonic() - clock
            self.record.look(step, page, self.bench.open_page)

    async def _call(self, function: dict[str, Any], step: ExecutionStep) -> None:
        name = step.tool_name = shown(str(function.get("name")))
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
            observation = await call_tool(tool, self.bench, arguments)
            step.observation = None if self.done else well_formed(observation)
        step.success = True

    def _refuse(self, conversation: Conversation, step: ExecutionStep, nudge: str) -> None:
        """Tell the model that its reply was of no use."""
        step.error_type, step.error_message = "runtime_error", nudge.partition(". ")[0] + "."
        step.observation = nudge
        conversation.observe(step.step_id, {"role": "user", "content": nudge})
