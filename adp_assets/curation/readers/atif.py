"""Files of the Agent Trajectory Interchange Format, versions 1.0 to 1.8, and the Agent Data Protocol's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from adp_assets.curation.readers.conversation import BadRecord, Conversation, objects_in, text_of
from adp_assets.curation.readers.records import Record
from runtimes.contracts import Message

_ROLES = {"system": "system", "user": "user", "agent": "assistant"}
_VERDICT = ("reward", "rewards", "outcome", "verified", "verifier", "error_type")
_TASK = ("task_id", "task_type", "description", "expected_tools", "constraints", "root_id")


def conversation(record: Record) -> Conversation:
    """The conversation of a document. What an observation does not tie to a call is said by the user.

    Of what files say of worth, `extra.reward` and the like are kept as the file's word. Raises BadRecord.
    """
    value = record.value
    version = value.get("schema_version")
    if not isinstance(version, str) or not version.startswith("ATIF-v1."):
        raise BadRecord(f"its schema_version is {version!r}, not ATIF-v1.")
    messages: list[Message] = []
    replies: dict[int, dict[str, Any]] = {}
    given = 0
    for step in objects_in(value.get("steps"), "steps"):
        if step.get("source") not in _ROLES:
            raise BadRecord(f"a step's source is {step.get('source')!r}.")
        if step.get("llm_call_count") == 0:
            raise BadRecord("a step was taken by no model (llm_call_count is 0).")
        replies[len(messages)] = _told(step)
        messages.append(_message(step))
        messages += _results(step)
        if step.get("is_copied_context"):
            given = len(messages)
    agent, extra = _object(value, "agent"), _object(value, "extra")
    task = {name: each for name, each in _object(extra, "task").items() if name in _TASK}
    teacher = extra.get("teacher")
    made = {"model": agent.get("model_name") or "", "teacher": teacher if isinstance(teacher, str) else None}
    return Conversation(
        messages,
        objects_in(agent.get("tool_definitions"), "tools"),
        given=given,
        replies={at: told for at, told in replies.items() if messages[at]["role"] == "assistant"},
        fields={name: each for name, each in made.items() if each},
        task=task,
        said={"agent": agent.get("name"), **{name: extra[name] for name in _VERDICT if name in extra}},
    )


def _message(step: dict[str, Any]) -> Message:
    message: Message = {"role": _ROLES[step["source"]], "content": text_of(step.get("message"))}
    if reasoning := step.get("reasoning_content"):
        message["reasoning_content"] = reasoning
    if calls := objects_in(step.get("tool_calls"), "calls"):
        message["tool_calls"] = [
            {
                "id": call.get("tool_call_id"),
                "type": "function",
                "function": {"name": call.get("function_name"), "arguments": call.get("arguments", {})},
            }
            for call in calls
        ]
    return message


def _results(step: dict[str, Any]) -> list[Message]:
    results = objects_in(_object(step, "observation").get("results"), "results")
    return [_result(result) for result in results if result.get("source_call_id") or result.get("content")]


def _result(result: dict[str, Any]) -> Message:
    content = text_of(result.get("content"))
    if source := result.get("source_call_id"):
        return {"role": "tool", "tool_call_id": source, "content": content}
    return {"role": "user", "content": content}


def _told(step: dict[str, Any]) -> dict[str, Any]:
    """What a step says of a reply: its tokens, price and time."""
    metrics = _object(step, "metrics")
    cost = metrics.get("cost_usd", metrics.get("cost"))
    told: dict[str, Any] = {
        name: metrics[name]
        for name in ("prompt_tokens", "completion_tokens")
        if isinstance(metrics.get(name), int)
    }
    if isinstance(cost, int | float):
        told["cost_usd"] = float(cost)
    if isinstance(timestamp := step.get("timestamp"), str):
        try:
            told["timestamp"] = datetime.fromisoformat(timestamp).timestamp()
        except ValueError as error:
            raise BadRecord(f"a step's timestamp is {timestamp!r}.") from error
    return told


def _object(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    if found is not None and not isinstance(found, dict):
        raise BadRecord(f"its {key} is no object.")
    return found or {}
