"""A policy in a model's place, so that the platform's own agent loop plays it."""

from __future__ import annotations

import json
from typing import Any

from runtimes.contracts import Message
from runtimes.llm.base import Reply, Sampling
from runtimes.tools.base import COMPLETE_TASK

from .policies import POLICIES, Call, Policy
from .reading import Seen


class PolicyModel:
    """Answers with the calls of a task's policy, then says that it is done."""

    provider = "scripted"
    model = "policy"

    def __init__(self, name: str) -> None:
        self._policy = POLICIES[name]
        self._playing: Policy | None = None

    async def complete(
        self,
        messages: list[Message],
        *,
        tools: list[dict[str, Any]] | None = None,
        sampling: Sampling = Sampling(),
        schema: dict[str, Any] | None = None,
    ) -> Reply:
        name, arguments = self._next(messages)
        function = {"name": name, "arguments": json.dumps(arguments)}
        call = {"id": f"c{len(messages)}", "type": "function", "function": function}
        return Reply(message={"role": "assistant", "content": None, "tool_calls": [call]})

    def _next(self, messages: list[Message]) -> Call:
        try:
            if self._playing is None:
                instruction, _, rest = messages[-1]["content"].partition("\n\nConstraints (JSON): ")
                self._playing = self._policy(instruction, Seen(rest.partition("Current page:\n")[2]))
                return next(self._playing)
            return self._playing.send(Seen(messages[-1]["content"]))
        except StopIteration:
            return COMPLETE_TASK, {"answer": "done"}

    async def aclose(self) -> None:
        """Nothing to close."""
