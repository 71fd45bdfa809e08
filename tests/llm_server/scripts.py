"""What the server answers: the base of every script, and those that need neither questions nor counting."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import msgspec

from tests.llm_server.replies import MODEL, Answer, completion, error

if TYPE_CHECKING:
    from runtimes.llm.base import ChatModel


class HangUp(Exception):
    """The connection is to be closed without an answer."""


class Script:
    """How the server behaves. `answer` gets the body of a chat-completions request, as it was sent."""

    async def answer(self, body: bytes) -> Answer:
        return error(501, "not_implemented", "This script answers no chat completions.")

    async def models(self) -> Answer:
        listed = [{"id": MODEL, "object": "model", "created": 0, "owned_by": "tests"}]
        return Answer(200, json.dumps({"object": "list", "data": listed}).encode())

    def plan(self) -> dict[str, str]:
        """The kind of reply planned for each question, for scripts that plan."""
        return {}

    def malformed(self) -> dict[str, str]:
        """The fault planned for each question whose kind is `malformed`."""
        return {}


class Refuse(Script):
    """A server that knows no key: 401 to everything."""

    async def answer(self, body: bytes) -> Answer:
        return error(401, "invalid_api_key", "Incorrect API key provided.")

    async def models(self) -> Answer:
        return await self.answer(b"")


class Down(Script):
    """A server that takes the connection and closes it."""

    async def answer(self, body: bytes) -> Answer:
        raise HangUp

    async def models(self) -> Answer:
        raise HangUp


class Hang(Script):
    """A server that takes the request and never answers."""

    async def answer(self, body: bytes) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def models(self) -> Answer:
        return await self.answer(b"")


class FromModel(Script):
    """A server in front of a model of ours, such as the built-in teacher."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def answer(self, body: bytes) -> Answer:
        from runtimes.llm.base import Sampling

        request: dict[str, Any] = msgspec.json.decode(body)
        reply = await self._model.complete(
            request["messages"],
            tools=request.get("tools"),
            sampling=msgspec.convert(request, Sampling),
            schema=_schema(request),
        )
        return Answer(
            200,
            completion(
                reply.message,
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
                finish_reason=reply.finish_reason,
            ),
        )


def _schema(request: dict[str, Any]) -> dict[str, Any] | None:
    wanted = request.get("response_format") or {}
    schema: dict[str, Any] | None = wanted.get("json_schema", {}).get("schema")
    return schema
