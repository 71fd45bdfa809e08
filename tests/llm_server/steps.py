"""Episodes of a fixed length for benchmarks: so many tool calls, then the end, at as little CPU as may be."""

from __future__ import annotations

import json

import msgspec

from tests.llm_server.replies import (
    Answer,
    assistant,
    complete_task,
    completion,
    error,
    estimated_tokens,
    tool_call,
)
from tests.llm_server.scripts import Script

_HOLE = 123_456_789
"""Prompt tokens of a body made ahead: the number is replaced when the request, and so the count, is known."""


class _Message(msgspec.Struct):
    role: str


class _Request(msgspec.Struct):
    """Only what is counted; msgspec skips the rest without building it."""

    messages: list[_Message]


class Steps(Script):
    """`turns` calls of python_executor, then complete_task, by the number of assistant messages so far."""

    def __init__(self, turns: int) -> None:
        self._decoder = msgspec.json.Decoder(_Request)
        messages = [_run(turn) for turn in range(turns)]
        messages.append(complete_task(str(turns), f"call_{turns}"))
        self._bodies = [_split(completion(m, prompt_tokens=_HOLE, completion_tokens=32)) for m in messages]

    async def answer(self, body: bytes) -> Answer:
        try:
            messages = self._decoder.decode(body).messages
        except msgspec.MsgspecError as fault:
            return error(400, "invalid_request_error", f"Not a chat-completions request: {fault}.")
        turn = sum(message.role == "assistant" for message in messages)
        head, middle, tail = self._bodies[min(turn, len(self._bodies) - 1)]
        tokens = estimated_tokens(body)
        return Answer(200, b"%b%d%b%d%b" % (head, tokens, middle, tokens + 32, tail))


def _run(turn: int) -> dict[str, object]:
    code = f"print({turn} ** 2)"
    return assistant(
        f"I square {turn}.", [tool_call("python_executor", json.dumps({"code": code}), f"call_{turn}")]
    )


def _split(body: bytes) -> tuple[bytes, bytes, bytes]:
    """The body around its count of prompt tokens and its total."""
    head, rest = body.split(str(_HOLE).encode())
    middle, tail = rest.split(str(_HOLE + 32).encode())
    return head, middle, tail
