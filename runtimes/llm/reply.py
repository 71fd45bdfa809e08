"""From the body of a chat completion to a Reply, or to the word that it is damaged."""

from __future__ import annotations

from typing import Any

import msgspec

from runtimes.contracts import Message
from runtimes.llm.base import Reply
from runtimes.llm.retry import Transient

MAX_REPLY_BYTES = 16 << 20
"""Longer than any model writes; a server that goes on sending is cut off there."""


def read_reply(body: bytes, *, provider: str, model: str, waited: float) -> Reply:
    """The first choice of a chat completion, its message as it came but for text parts, which are joined.

    Raises Transient for a damaged body: cut off, not JSON, not UTF-8, or of another shape.
    """
    try:
        plain = msgspec.json.decode(body)
        if plain.get("error") and not plain.get("choices"):
            raise Transient(f"the reply is an error: {str(plain['error'])[:300]}")
        choice = plain["choices"][0]
        usage = plain.get("usage") or {}
        return Reply(
            message=_read_message(choice["message"]),
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or 0),
            finish_reason=str(choice.get("finish_reason") or "stop"),
            provider=provider,
            model=model,
            waited=waited,
        )
    except (
        msgspec.DecodeError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise Transient(f"the reply is not a chat completion ({type(error).__name__}: {error})") from error


def _read_message(raw: Any) -> Message:
    """The keys that have a value. Raises TypeError for a shape the agent loop could not work with."""
    if not isinstance(raw, dict):
        raise TypeError("the message is not an object")
    message: Message = {key: value for key, value in raw.items() if value is not None}
    if "content" in message:
        message["content"] = _read_content(message["content"])
    calls = message.get("tool_calls", [])
    if not isinstance(calls, list):
        raise TypeError("tool_calls is not a list")
    if not all(isinstance(call, dict) and isinstance(call.get("function"), dict) for call in calls):
        raise TypeError("a tool call is not an object with a function object")
    return message


def _read_content(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise TypeError("the content is neither text nor a list of parts")
    texts: list[str] = []
    for part in content:
        if part["type"] != "text" or not isinstance(part["text"], str):
            raise TypeError("the content has a part that is not text")
        texts.append(part["text"])
    return "".join(texts)
