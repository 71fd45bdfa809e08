"""From a trajectory to a training row: messages as trainers read them, and what rows are filtered by."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import polars as pl

from runtimes.contracts import Message, Trajectory

COLUMNS: dict[str, Any] = {
    "id": pl.String(),
    "split": pl.String(),
    "task_id": pl.String(),
    "root_id": pl.String(),
    "round": pl.String(),
    "sample": pl.Int64(),
    "task_type": pl.String(),
    "operator": pl.String(),
    "generation": pl.Int64(),
    "verifier": pl.String(),
    "reward": pl.Float64(),
    "teacher": pl.String(),
    "model": pl.String(),
    "steps": pl.Int64(),
    "characters": pl.Int64(),
    "completion_tokens": pl.Int64(),
    "content_hash": pl.String(),
    "messages": pl.String(),
    "tools": pl.String(),
}
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
    return hashlib.sha256(compact(without_ids).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def split_of(root_id: str, test_share: float) -> str:
    """The split of a whole family of tasks; the same root falls into the same split in every dataset."""
    place = int(hashlib.sha256(f"split\0{root_id}".encode()).hexdigest()[:8], 16) / 0x1_0000_0000
    return "test" if place < test_share else "train"


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


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
