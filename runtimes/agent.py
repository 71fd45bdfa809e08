"""The agent loop of every built-in runtime: messages to the model, tool calls out, observations back."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec

from runtimes.calls import calls_of, completed, echo_of, parse_arguments, shown
from runtimes.context import Conversation, window_of
from runtimes.contracts import ExecutionStep, Message, TaskSpec, Trajectory, WebRecord
from runtimes.errors import CONTEXT_LENGTH, InfrastructureError, ModelRefused, ToolError
from runtimes.llm.base import Reply, Sampling
from runtimes.loops import Loops
from runtimes.prompts import episode_messages, prompt_hash
from runtimes.text import well_formed
from runtimes.tools.base import COMPLETE_TASK, Tool, Workbench
from runtimes.tools.call import call_tool
from runtimes.tools.page_actions import FINISH
from runtimes.version import code_version

if TYPE_CHECKING:
    from runtimes.web.page.page import WebPage

EMPTY = "Your reply was empty. Call a tool, or call complete_task with the final answer."
CUT_OFF = (
    "Your reply was cut off: it reached the limit of its length. Say less, and call a tool, or call "
    "complete_task with the final answer."
)
MAX_UNUSABLE_REPLIES = 2
"""In a row, after which the episode ends."""

NOT_CARRIED_OUT = "Not carried out: the episode ended before."

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
        self.conversation: Conversation | None = None
        self.loops = Loops()
        self.nudged: list[int | str] = []
        self.ended_by = "steps"
        self.answer: str | None = None
        self.done = False
        self.start_page: WebRecord | None = None
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cached_replies = 0
        self.cost_usd: float | None = None

    async def run(self, runtime_id: str, *, sample: int, round: str) -> Trajectory:
        """Work until the task is complete, or out of steps or time, or the platform fails.

        Raises ModelRefused and BudgetSpent: no other episode could go better.
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
            self.ended_by = error.error_class or "error"
            trajectory.error_type, trajectory.error_message = error.error_type, str(error)
        except ModelRefused:
            raise
        except InfrastructureError as error:
            self.ended_by = "infrastructure"
            trajectory.outcome = "infrastructure_error"
            trajectory.error_type, trajectory.error_message = error.error_type, str(error)
        self._fill(trajectory, sample=sample, round=round)
        self._record_not_carried_out()
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
            raise ToolError("timeout", reason, error_class="time") from error

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
        trajectory.trims = self.conversation.trims if self.conversation is not None else []
        trajectory.prompt_hash = prompt_hash(self.prompt, self.schemas)
        trajectory.code_version = code_version()
        trajectory.prompt_tokens = self.prompt_tokens
        trajectory.completion_tokens = self.completion_tokens
        trajectory.cost_usd = self.cost_usd
        trajectory.metadata = {
            "total_steps": len(self.steps),
            "cache_hit": False,
            "teacher": model.provider,
            "ended_by": self.ended_by,
        }
        if self.cached_replies:
            trajectory.metadata["cached_replies"] = self.cached_replies
        if self.nudged:
            trajectory.metadata["loop_nudges"] = self.nudged
        if self.bench.unavailable:
            trajectory.metadata["unavailable_tools"] = sorted(self.bench.unavailable)
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
        window = self.bench.services.context_tokens or window_of(self.bench.model.model)
        conversation = self.conversation = Conversation(self.prompt, self.schemas, window)
        unusable = turn = 0
        while len(self.steps) < self.task.max_steps:
            reply = await self._ask(conversation, turn)
            message = completed(reply.message, turn)
            conversation.reply(echo_of(message) or message)
            text = (message.get("content") or "").strip()
            if calls := calls_of(message):
                unusable = 0
                await self._carry_out(conversation, calls, self._new_step(turn, reply, message))
            elif text and reply.finish_reason != "length":
                self._new_step(turn, reply, message).success = True
                self.answer, self.done = text, True
            else:
                unusable += 1
                step = self._new_step(turn, reply, message)
                self._refuse(conversation, step, CUT_OFF if reply.finish_reason == "length" else EMPTY)
                if unusable >= MAX_UNUSABLE_REPLIES:
                    step.observation = None
                    raise ToolError(
                        "runtime_error",
                        f"No reply could be used: {step.error_message}",
                        error_class="unusable_replies",
                    )
            if self.done:
                self.ended_by = "answer"
                return
            turn += 1

    async def _ask(self, conversation: Conversation, turn: int) -> Reply:
        """The model's next reply; the conversation is cut before to fit, and harder where it is refused."""
        conversation.fit(turn)
        try:
            reply = await self._complete(conversation)
        except ToolError as error:
            if error.error_class != CONTEXT_LENGTH:
                raise
            conversation.shrink(turn)
            reply = await self._complete(conversation)
        conversation.counted(reply.prompt_tokens)
        self._count(reply)
        return reply

    async def _complete(self, conversation: Conversation) -> Reply:
        return await self.bench.model.complete(
            conversation.messages, tools=self.schemas, sampling=self.sampling
        )

    async def _first_page(self) -> str:
        try:
            page = await self.bench.page()
            self.start_page = page.start_record
            return well_formed(await page.observe())
        except ToolError as error:
            return f"The start page could not be opened: {error}"

    def _count(self, reply: Reply) -> None:
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        self.cached_replies += reply.cached
        if reply.cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + reply.cost_usd

    async def _carry_out(
        self, conversation: Conversation, calls: list[dict[str, Any]], first: ExecutionStep
    ) -> None:
        """Carry out one reply's calls in order, each a step, and tell the model what came of each."""
        steps: list[ExecutionStep] = []
        for call in calls:
            step = first if not steps else self._new_step(first.turn)
            steps.append(step)
            step.tool_call_id = call["id"]
            await self._step(call, step)
            if self.done or len(self.steps) >= self.task.max_steps:
                return
        if loop := self.loops.heed(steps):
            if loop.is_endless:
                raise ToolError("runtime_error", f"The agent is in a loop: {loop}.", error_class="loop")
            if loop.begins:
                steps[-1].observation += f"\n\n{loop.nudge}"
                self.nudged.append(steps[-1].step_id)
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
            self._record_page(step, page)

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

    def _record_page(self, step: ExecutionStep, before: WebPage | None) -> None:
        """Give the step its record: of the page it was done on, which may have been replaced meanwhile."""
        now = self.bench.open_page
        if now is None:
            return
        if self.start_page is None:
            self.start_page = now.start_record
        step.web = (before.take_record() if before is not None else None) or now.take_record()

    def _new_step(
        self, turn: int, reply: Reply | None = None, message: Message | None = None
    ) -> ExecutionStep:
        """The next step; the first of its turn has the reply, with the message as it is kept."""
        step = ExecutionStep(
            step_id=len(self.steps) + 1,
            action_type="tool_call",
            observation=None,
            success=False,
            timestamp=time.time(),
            turn=turn,
        )
        if reply is not None and message is not None:
            step.message, step.echo = message, echo_of(message)
            step.thought = thought_of(message)
            step.prompt_tokens = reply.prompt_tokens
            step.completion_tokens = reply.completion_tokens
            step.cost_usd = reply.cost_usd
        self.steps.append(step)
        return step

    def _refuse(self, conversation: Conversation, step: ExecutionStep, nudge: str) -> None:
        """Tell the model that its reply was of no use."""
        step.error_type, step.error_message = "runtime_error", nudge.partition(". ")[0] + "."
        step.observation = nudge
        conversation.observe(step.step_id, {"role": "user", "content": nudge})

    def _record_not_carried_out(self) -> None:
        """A step for each call of the last reply that the episode's end came before."""
        replies = [at for at, step in enumerate(self.steps) if step.message is not None]
        if not replies:
            return
        last = self.steps[replies[-1]]
        assert last.message is not None
        for call in calls_of(last.message)[len(self.steps) - replies[-1] :]:
            step = self._new_step(last.turn)
            step.tool_call_id = call["id"]
            step.tool_name = shown(str((call.get("function") or {}).get("name")))
            step.error_message = NOT_CARRIED_OUT


def thought_of(message: Message) -> str:
    """What the model said beside its calls: its reasoning where the provider gives it, then its text."""
    parts = [message.get("reasoning_content") or "", message.get("content") or ""]
    return "\n\n".join(part for part in parts if isinstance(part, str) and part)
