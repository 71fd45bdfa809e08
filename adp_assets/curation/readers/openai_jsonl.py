"""Files of chat messages, as OpenAI's fine-tuning and many others have them: `messages` and `tools`."""

from __future__ import annotations

from typing import Any

import msgspec

from adp_assets.curation.readers.conversation import BadRecord, Conversation, objects_in
from adp_assets.curation.readers.records import Record


def conversation(record: Record) -> Conversation:
    """The conversation of a record, which may also be a row of the platform's own Parquet.

    Call arguments may be text or objects. Raises BadRecord.
    """
    value = record.value
    if "messages" not in value:
        pair = "preferred_output" in value
        raise BadRecord("a preference pair is no episode." if pair else "it has no `messages`.")
    said = {name: value[name] for name in ("id", "reward", "outcome") if value.get(name) is not None}
    return Conversation(
        messages=objects_in(value["messages"], "messages"),
        tools=[_tool(tool) for tool in objects_in(value.get("tools"), "tools")],
        said=said,
    )


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool with its parameters as an object; in nested Parquet they are text."""
    function = tool.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("parameters"), str):
        return tool
    try:
        parameters = msgspec.json.decode(function["parameters"])
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRecord(f"a tool's parameters are no JSON: {error}.") from error
    return {**tool, "function": {**function, "parameters": parameters}}
