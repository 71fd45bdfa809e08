"""What an episode was: its steps, what came of them, what they cost. What it does is `agent`'s."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from runtimes.calls import calls_of, echo_of, shown
from runtimes.contracts import ExecutionStep, Message, Trajectory, WebRecord
from runtimes.llm.base import Reply
from runtimes.llm.ledger import Spent

if TYPE_CHECKING:
    from runtimes.web.page.page import WebPage

NOT_CARRIED_OUT = "Not carried out: the episode ended before."


class Record:
    """The steps of one episode as they come; what was recorded survives a timeout or a fault.

    `ended_by` is how the episode ended in a word: `answer`, `steps`, `time`, `loop`, `context_length`,
    `unusable_replies`, `infrastructure` or `error`. `nudged` are the steps that told the agent of a loop.
    `author` is the provider and the model that gave the last reply, where replies say.
    """

    def __init__(self) -> None:
        self.steps: list[ExecutionStep] = []
        self.ended_by = "steps"
        self.nudged: list[int | str] = []
        self.start_page: WebRecord | None = None
        self.author: tuple[str, str] | None = None
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._cached_replies = 0
        self._spent: Spent | None = None

    def reply(self, turn: int, reply: Reply, message: Message) -> ExecutionStep:
        """The first step of a turn, with the reply, whose message is kept as `message`."""
        self._prompt_tokens += reply.prompt_tokens
        self._completion_tokens += reply.completion_tokens
        self._cached_replies += reply.cached
        if reply.provider:
            self.author = reply.provider, reply.model
        spent = Spent.of(reply.prompt_tokens + reply.completion_tokens, reply.cost_usd)
        self._spent = self._spent + spent if self._spent else spent
        step = self.step(turn)
        step.message, step.echo = message, echo_of(message)
        step.thought = thought_of(message)
        step.prompt_tokens = reply.prompt_tokens
        step.completion_tokens = reply.completion_tokens
        step.cost_usd = reply.cost_usd
        return step

    def step(self, turn: int) -> ExecutionStep:
        """The next step, of which nothing is known yet."""
        step = ExecutionStep(
            step_id=len(self.steps) + 1,
            action_type="tool_call",
            observation=None,
            success=False,
            timestamp=time.time(),
            turn=turn,
        )
        self.steps.append(step)
        return step

    def look(self, step: ExecutionStep, before: WebPage | None, now: WebPage | None) -> None:
        """Give the step its record: of the page it was done on, which may have been replaced meanwhile."""
        if now is None:
            return
        if self.start_page is None:
            self.start_page = now.start_record
        step.web = (before.take_record() if before is not None else None) or now.take_record()

    def cut_off(self, reason: str) -> None:
        """Say so in the step that the task's time limit cut off, where it did."""
        step = self.steps[-1] if self.steps else None
        if step is not None and not step.success and step.error_type is None:
            step.error_type, step.error_message = "timeout", reason

    def fill(self, trajectory: Trajectory) -> None:
        """Put all of it into the trajectory, and a step for each call that was not carried out."""
        trajectory.steps = self.steps
        trajectory.prompt_tokens = self._prompt_tokens
        trajectory.completion_tokens = self._completion_tokens
        trajectory.cost_usd = self._spent.cost_usd if self._spent else None
        trajectory.metadata |= {"total_steps": len(self.steps), "ended_by": self.ended_by}
        if self._cached_replies:
            trajectory.metadata["cached_replies"] = self._cached_replies
        if self.nudged:
            trajectory.metadata["loop_nudges"] = self.nudged
        if self.start_page is not None:
            trajectory.metadata["start_page"] = msgspec.to_builtins(self.start_page)
        self._add_not_carried_out()

    def _add_not_carried_out(self) -> None:
        replies = [at for at, step in enumerate(self.steps) if step.message is not None]
        if not replies:
            return
        last = self.steps[replies[-1]]
        for call in calls_of(last.message or {})[len(self.steps) - replies[-1] :]:
            step = self.step(last.turn)
            step.tool_call_id = call["id"]
            step.tool_name = shown(str((call.get("function") or {}).get("name")))
            step.error_message = NOT_CARRIED_OUT


def thought_of(message: Message) -> str:
    """What the model said beside its calls: its reasoning where the provider gives it, then its text."""
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    parts = [reasoning, message.get("content")]
    return "\n\n".join(part for part in parts if isinstance(part, str) and part)
