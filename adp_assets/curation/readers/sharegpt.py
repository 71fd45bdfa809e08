"""Files in ShareGPT's form, as LLaMA-Factory reads it; `formats/sharegpt.py` says what stands where."""

from __future__ import annotations

from typing import Any

import msgspec

from adp_assets.curation.formats.sharegpt import BETWEEN_RESULTS, CALLS, THINK
from adp_assets.curation.readers.conversation import BadRecord, Conversation, objects_in
from adp_assets.curation.readers.records import Record
from runtimes.contracts import Message

_USER = {"human", "user"}
_MODEL = {"gpt", "assistant", "function_call"}
_RESULT = {"observation", "tool"}


def conversation(record: Record) -> Conversation:
    """The conversation of a record; calls get ids, since the form has none. Raises BadRecord."""
    value = record.value
    system = value.get("system")
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    open_calls: list[str] = []
    for number, entry in enumerate(objects_in(value.get("conversations"), "conversations")):
        speaker, text = entry.get("from"), entry.get("value")
        if not isinstance(text, str):
            raise BadRecord(f"turn {number + 1} has no text.")
        if speaker in _RESULT:
            messages += _results(text, open_calls)
            open_calls = []
        elif speaker in _MODEL:
            messages.append(_reply(text, number, called=speaker == "function_call"))
            open_calls = [call["id"] for call in messages[-1].get("tool_calls", ())]
        elif speaker in _USER or speaker == "system":
            messages.append({"role": "user" if speaker in _USER else "system", "content": text})
        else:
            raise BadRecord(f"turn {number + 1} is from {speaker!r}.")
    tools = [_wrapped(tool) for tool in objects_in(value.get("tools"), "tools")]
    said = {name: value[name] for name in ("id", "reward", "outcome") if value.get(name) is not None}
    return Conversation(messages, tools, said=said)


def _reply(text: str, number: int, *, called: bool) -> Message:
    message: Message = {"role": "assistant", "content": text}
    if text.startswith(THINK[0]) and THINK[1] in text:
        reasoning, _, text = text.removeprefix(THINK[0]).partition(THINK[1])
        message |= {"content": text, "reasoning_content": reasoning}
    if called:
        said, _, marked = text.partition(CALLS[0])
        calls = marked.removesuffix(CALLS[1]) if marked else said
        message["content"] = said if marked else ""
        message["tool_calls"] = [
            {"id": f"call_{number}_{place}", "type": "function", "function": call}
            for place, call in enumerate(_calls(calls, number))
        ]
    return message


def _calls(text: str, number: int) -> list[dict[str, Any]]:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRecord(f"the call of turn {number + 1} is no JSON: {error}.") from error
    calls = found if isinstance(found, list) else [found]
    if not calls or any(not isinstance(call, dict) or "name" not in call for call in calls):
        raise BadRecord(f"the call of turn {number + 1} names no tool.")
    return [{"name": call["name"], "arguments": call.get("arguments", {})} for call in calls]


def _results(text: str, calls: list[str]) -> list[Message]:
    results = text.split(BETWEEN_RESULTS) if len(calls) > 1 else [text]
    if len(results) != len(calls):
        raise BadRecord(f"{len(results)} results for {len(calls)} calls.")
    return [
        {"role": "tool", "tool_call_id": call, "content": result}
        for call, result in zip(calls, results, strict=True)
    ]


def _wrapped(tool: dict[str, Any]) -> dict[str, Any]:
    return tool if "function" in tool else {"type": "function", "function": tool}
