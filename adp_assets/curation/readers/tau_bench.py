"""tau-bench's few-shot files: a dialogue as one text, `user: ...`, `assistant: ...`, `tool: ...`.

The text does not tell which tool was called with what: such a call has an id and no name here, so that no
template renders it and no dataset takes the dialogue for training, while its words can be read and searched.
"""

from __future__ import annotations

import re

from adp_assets.curation.readers.conversation import BadRecord, Conversation
from adp_assets.curation.readers.records import Record
from runtimes.contracts import Message

_SPEAKER = re.compile(r"^(system|user|assistant|tool): ", re.MULTILINE)
_NOTHING = "None"
"""What stands for the words of a reply that only calls a tool."""


def conversation(record: Record) -> Conversation:
    """The dialogue of a record. Raises BadRecord."""
    text = record.value.get("messages_display")
    if not isinstance(text, str):
        raise BadRecord("its `messages_display` is no text.")
    _, *parts = _SPEAKER.split(text)
    messages: list[Message] = []
    for role, said in zip(parts[::2], parts[1::2], strict=True):
        content = said.removesuffix("\n")
        if role == "tool":
            messages.append({"role": "tool", "tool_call_id": _call_before(messages), "content": content})
        else:
            silent = role == "assistant" and content == _NOTHING
            messages.append({"role": role, "content": None if silent else content})
    return Conversation(messages, tools=[])


def _call_before(messages: list[Message]) -> str:
    """The id of a call that is added to the reply before a tool's result."""
    if not messages or messages[-1]["role"] != "assistant":
        raise BadRecord("a tool's result follows no reply of the model.")
    call_id = f"call_{len(messages)}"
    messages[-1]["tool_calls"] = [{"id": call_id, "type": "function", "function": {}}]
    return call_id
