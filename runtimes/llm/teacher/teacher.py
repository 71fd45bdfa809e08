"""The built-in teacher as a `ChatModel`. What it replies is `policy.reply`'s; its name and cost are here."""

from __future__ import annotations

import json
from typing import Any

from runtimes.contracts import Message
from runtimes.errors import ConfigurationError
from runtimes.llm.base import BUILTIN, Reply, Sampling
from runtimes.llm.teacher.policy import reply

_CHARACTERS_PER_TOKEN = 4


class Teacher:
    """A deterministic model that holds no state: any number of episodes may share one.

    About `error_rate` of the episodes of the simplest tasks contain a slip, of a task of level n about
    1 - (1 - error_rate) ** n; about half of those end with a wrong result. The same messages, tools and seed
    give the same reply.
    """

    provider = BUILTIN
    model = "builtin-teacher-1"

    def __init__(self, error_rate: float = 0.15) -> None:
        if not 0 <= error_rate <= 1:
            raise ConfigurationError(f"error_rate {error_rate} is no probability.", "Give one from 0 to 1.")
        self.error_rate = error_rate

    async def complete(
        self,
        messages: list[Message],
        *,
        tools: list[dict[str, Any]] | None = None,
        sampling: Sampling = Sampling(),
        schema: dict[str, Any] | None = None,
    ) -> Reply:
        """The next message; tokens are estimated at four characters each, and nothing is charged."""
        message = reply(messages, tools, sampling, schema, self.error_rate)
        return Reply(
            message=message,
            prompt_tokens=_tokens(messages) + (_tokens(tools) if tools else 0),
            completion_tokens=_tokens(message),
            cost_usd=0.0,
            finish_reason="tool_calls" if message.get("tool_calls") else "stop",
            provider=self.provider,
            model=self.model,
        )

    async def aclose(self) -> None:
        """Nothing is open."""


def _tokens(value: Any) -> int:
    return -(-len(json.dumps(value, ensure_ascii=False)) // _CHARACTERS_PER_TOKEN)
