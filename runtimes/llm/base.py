"""What a model is to the rest of the platform: chat completions in, one assistant message out."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from msgspec import Struct

from runtimes.contracts import Message
from runtimes.llm.catalog import ROWS

BUILTIN = "builtin"
"""The provider that needs none: the built-in teacher, which takes no money."""


class Sampling(Struct, frozen=True, omit_defaults=True):
    """How a reply is drawn. `seed` is varied by sample so that samples differ and a rerun repeats.

    A parameter that the provider does not take, as its row in `providers` says, is not sent to it.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    parallel_tool_calls: bool | None = None

    def taken_by(self, provider: str) -> dict[str, Any]:
        """The parameters that are sent to this provider, by name."""
        row = ROWS.get(provider)
        wishes: dict[str, Any] = msgspec.to_builtins(self)
        return {name: value for name, value in wishes.items() if row is None or name not in row.unknown}


class Account(Struct, frozen=True, kw_only=True):
    """Whose call it is: tokens and money are counted by it, and quotas are checked by it.

    `stage` is the work that asks: episode, distillation, mutation or grading.
    """

    round: str = ""
    task_id: str = ""
    sample: int = 0
    user: str = ""
    stage: str = "episode"


class Reply(Struct, frozen=True, kw_only=True):
    """One assistant message, raw, as the provider sent it (unknown keys kept), and what it cost.

    Its `content`, if any, is a string; its `tool_calls`, if any, are objects that each hold a `function`
    object. What stands in that object is the model's doing and not checked. `provider` and `model` are who
    really answered, which after a failover is not who was asked first. `cached`: from the response cache.
    `waited` is in seconds, until the try was sent that brought it: for room at the provider or in the budget,
    for pauses and for tries in vain, which is no doing of the agent's.
    """

    message: Message
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    finish_reason: str = "stop"
    cached: bool = False
    provider: str = ""
    model: str = ""
    waited: float = 0.0


class ChatModel(Protocol):
    """A model behind chat completions.

    `complete` raises ModelUnavailable when no reply came after all retries or within the deadline, and
    ModelRefused when none ever will (bad key, unknown model, a certificate nobody vouches for); ToolError
    when the conversation is too long or caught by a content filter; InfrastructureError for any other
    refusal. `schema` asks for a JSON object of that JSON schema as the content. A provider without schemas is
    asked for any JSON object, or for none: the prompt must hold the schema, too, as `structured.ask` sees to.
    """

    provider: str
    model: str

    async def complete(
        self,
        messages: list[Message],
        *,
        tools: list[dict[str, Any]] | None = None,
        sampling: Sampling = Sampling(),
        schema: dict[str, Any] | None = None,
    ) -> Reply: ...

    async def aclose(self) -> None: ...
