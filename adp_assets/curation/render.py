"""A conversation as trainers read it, and what makes two of them the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import msgspec

from runtimes.contracts import Message, Trajectory

_KEPT = ("role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name")


class Untrainable(Exception):
    """A trajectory no chat template could render; the text says why."""


def training_messages(trajectory: Trajectory) -> list[Message]:
    """The episode's messages with call arguments as objects, which chat templates want.

    Keys without a value are left out, since a null key leaks into templates. Raises Untrainable for a call
    whose arguments are not a JSON object.
    """
    messages: list[Message] = []
    for message in trajectory.messages():
        kept = {key: message[key] for key in _KEPT if message.get(key) is not None}
        kept.setdefault("content", "")
        if "tool_calls" in kept:
            kept["tool_calls"] = [_call(call) for call in kept["tool_calls"]]
        messages.append(kept)
    return messages


def content_hash(messages: list[Message]) -> str:
    """Equal for episodes that say and do the same, whatever their calls' ids."""
    without_ids = [
        {key: value for key, value in message.items() if key != "tool_call_id"}
        | (
            {"tool_calls": [call["function"] for call in message["tool_calls"]]}
            if "tool_calls" in message
            else {}
        )
        for message in messages
    ]
    return _digest(compact(without_ids))


def conversation_hash(trajectory: Trajectory) -> str:
    """Equal for episodes that say and do the same, also where no chat template could render them."""
    try:
        return content_hash(training_messages(trajectory))
    except Untrainable:
        return _digest(compact(trajectory.messages()))


def prompt_key(messages: Sequence[Message], tools: list[dict[str, Any]]) -> str:
    """Equal for episodes that began the same: with the same messages before the first reply, and tools."""
    return _digest(compact([prompt_of(messages), tools]))


def prompt_of(messages: Sequence[Message]) -> Sequence[Message]:
    """What comes before the first reply."""
    replies = (at for at, message in enumerate(messages) if message["role"] == "assistant")
    return messages[: next(replies, len(messages))]


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    if not isinstance(function.get("name"), str):
        raise Untrainable("a call without a tool's name")
    try:
        raw = function.get("arguments") or "{}"
        arguments = msgspec.json.decode(raw) if isinstance(raw, str) else raw
    except (msgspec.DecodeError, RecursionError) as error:
        raise Untrainable(f"a call of {function.get('name')} whose arguments are not JSON") from error
    if not isinstance(arguments, dict):
        raise Untrainable(f"a call of {function.get('name')} whose arguments are not an object")
    return {
        "id": call.get("id", ""),
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }
