"""Chat completions as bytes. Which reply is due belongs in the scripts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

MODEL = "test-model"


@dataclass(frozen=True)
class Answer:
    """What goes back over HTTP: a status, a JSON body and headers beside the content type."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def assistant(content: str | None = None, tool_calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """An assistant message."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if tool_calls:
        message["tool_calls"] = tool_calls
    return message


def tool_call(name: str, arguments: str, call_id: str = "call_1") -> dict[str, Any]:
    """One tool call; `arguments` goes out as it stands, JSON or not."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def complete_task(answer: str, call_id: str = "call_1") -> dict[str, Any]:
    """The assistant message that ends an episode with `answer`."""
    call = tool_call("complete_task", json.dumps({"answer": answer}, ensure_ascii=False), call_id)
    return assistant(f"The answer is {answer}.", [call])


def completion(
    message: dict[str, Any], *, prompt_tokens: int, completion_tokens: int, finish_reason: str | None = None
) -> bytes:
    """The body of a chat completion with one choice."""
    default_reason = "tool_calls" if message.get("tool_calls") else "stop"
    return json.dumps(
        {
            "id": "chatcmpl-test",
            "object": "chat.completion",
            "created": 0,
            "model": MODEL,
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason or default_reason}],
            "usage": {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "total_tokens": prompt_tokens + completion_tokens,
            },
        },
        ensure_ascii=False,
    ).encode()


def error(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    """An error in the shape of OpenAI's API."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": kind}}
    return Answer(status, json.dumps(body).encode(), headers or {})


def estimated_tokens(text: str | bytes) -> int:
    """Tokens of a text at four characters a token, one at least: a stable figure, not a tokenizer's."""
    return max(1, len(text) // 4)
