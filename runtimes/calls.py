"""The tool calls of a reply: how each is read, and how a reply goes back to the model that gave it.

Models call tools that are not there, with arguments that are not JSON, under ids that are empty or twice the
same. Each is told to the agent as an error it can mend. What carries a call out belongs in `tools`.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from runtimes.contracts import Message
from runtimes.errors import ToolError
from runtimes.text import shallow
from runtimes.tools.arguments import schema_fault
from runtimes.tools.base import Tool

MAX_ARGUMENT_CHARACTERS = 1 << 18
"""Of one call. A model that writes more than this at once is stuck, and no window would hold many of them."""

UNREADABLE = "unreadable_arguments"
"""The key under which arguments that nobody could read go back, in an object."""

_SHOWN_CHARACTERS = 400
_SAFE_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def calls_of(message: Message) -> list[dict[str, Any]]:
    """The tool calls of a reply, in order."""
    return message.get("tool_calls") or []


def completed(message: Message, turn: int) -> Message:
    """The reply as it came, with what some servers leave out and others want back.

    That is its content, null beside calls, and an id of its own for each call, by which its answer is found.
    Ids are no words of the model's: servers make them up, and some give none or the same twice.
    """
    calls = calls_of(message)
    whole = {"role": "assistant", "content": None, **message}
    if not calls:
        # Some give an empty list of calls, and others refuse one.
        whole.pop("tool_calls", None)
        whole["content"] = whole["content"] or ""
    taken: set[str] = set()
    for index, call in enumerate(calls):
        call_id = call.get("id")
        if not isinstance(call_id, str) or not call_id or call_id in taken:
            call_id = f"call_{turn}_{index}"
            while any(call_id == other.get("id") for other in calls):
                call_id += "_"
            calls = [*calls[:index], {**call, "id": call_id}, *calls[index + 1 :]]
        taken.add(call_id)
    return {**whole, "tool_calls": calls} if calls else whole


def echo_of(message: Message) -> Message | None:
    """What goes back in a reply's place, None where it can go back as it is.

    Providers refuse a whole conversation for one call in it without a tool's name, or with arguments that are
    not a JSON object.
    """
    calls = calls_of(message)
    mended = [_mended(call) for call in calls]
    return {**message, "tool_calls": mended} if mended != calls else None


def parse_arguments(tool: Tool, raw: Any) -> dict[str, Any]:
    """The call's arguments, checked against the tool's schema.

    Raises ToolError with a message the model can mend its call by.
    """
    arguments = {} if raw in (None, "") else raw
    if isinstance(arguments, str):
        if len(arguments) > MAX_ARGUMENT_CHARACTERS:
            raise ToolError(
                "runtime_error",
                f"The arguments of {tool.name} have {len(arguments)} characters.",
                f"Send at most {MAX_ARGUMENT_CHARACTERS}, in several calls if need be.",
            )
        try:
            arguments = msgspec.json.decode(arguments)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ToolError(
                "runtime_error",
                f"The arguments of {tool.name} are not JSON: {error}.",
                "Send one JSON object.",
            ) from error
    try:
        shallow(arguments)
    except ValueError as error:
        raise ToolError(
            "runtime_error", f"The arguments of {tool.name} cannot be used: {error}.", "Send flatter ones."
        ) from error
    fault = schema_fault(tool.parameters, arguments)
    if fault is not None:
        place = fault.json_path.removeprefix("$").removeprefix(".")
        raise ToolError(
            "runtime_error",
            f"Wrong arguments for {tool.name}{f' at {place}' if place else ''}: {shown(fault.message)}.",
        )
    assert isinstance(arguments, dict)
    return arguments


def shown(text: str) -> str:
    """Both ends of a text that a model may have made long."""
    half = _SHOWN_CHARACTERS // 2
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:half]} ... {text[-half:]}"


def _mended(call: dict[str, Any]) -> dict[str, Any]:
    """The call as every provider takes it back; equal to it where it was so before."""
    function = call.get("function") or {}
    name, arguments = function.get("name"), function.get("arguments")
    if not (isinstance(name, str) and _SAFE_NAME.fullmatch(name)):
        name = re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64] if isinstance(name, str) and name else "unknown"
    return {"type": "function", **call, "function": {**function, "name": name, "arguments": _sent(arguments)}}


def _sent(arguments: Any) -> str:
    if arguments is None or arguments == "":
        return "{}"
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    if len(text) <= MAX_ARGUMENT_CHARACTERS:
        try:
            if isinstance(msgspec.json.decode(text), dict):
                return text
        except (msgspec.DecodeError, RecursionError):
            pass
    return json.dumps({UNREADABLE: shown(text)}, ensure_ascii=False)
