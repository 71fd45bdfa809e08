"""From a conversation, as chat completions have it, to the episode it is the record of.

`Trajectory.messages()` of what is made here gives the conversation back up to the model's last reply.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from adp_assets.curation.readers.records import Record
from adp_assets.intake.importers.seeds import Origin, seed
from runtimes.contracts import ExecutionStep, Message, TaskSpec, Trajectory
from runtimes.record import thought_of

IMPORTED = "import"
"""The runtime of trajectories from elsewhere, and their teacher where the file names none."""

_ROLES = ("system", "developer", "user", "assistant", "tool")
_KEPT = ("content", "reasoning_content", "tool_calls", "tool_call_id", "name")


class BadRecord(Exception):
    """A record that no trajectory can be made of; the text says why."""


@dataclass(frozen=True)
class Conversation:
    """What a format's reader found: messages, the tools the model had, and what else the file says.

    The first `given` messages were not said in this episode, though a model said some of them. `replies` are
    fields of the step at which a message stands, by the message's place; `fields` are of the trajectory,
    `task` of the task, `said` whatever the file tells of the episode's worth.
    """

    messages: list[Message]
    tools: list[dict[str, Any]]
    given: int = 0
    replies: dict[int, dict[str, Any]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)


def recorded(
    conversation: Conversation, record: Record, origin: Origin, format: str, task_type: str
) -> tuple[TaskSpec, Trajectory]:
    """The task and trajectory of a conversation. Raises BadRecord, or InvalidTask."""
    messages = [_checked(message) for message in conversation.messages]
    began = _first_reply(messages, conversation.given)
    prompt = messages[:began]
    steps = [*_steps(messages[began:], {at - began: told for at, told in conversation.replies.items()})]
    task = _task(conversation, prompt, record, origin, task_type)
    imported = {"format": format, "file": record.file.name, "record": record.number, **conversation.said}
    plain = {
        "runtime_id": IMPORTED,
        "teacher": IMPORTED,
        "created_at": record.file.stat().st_mtime,
        "prompt_tokens": sum(step.prompt_tokens for step in steps),
        "completion_tokens": sum(step.completion_tokens for step in steps),
        **conversation.fields,
        "task_id": task.task_id,
        "task_type": task.task_type,
        "metadata": {"imported": imported, "total_steps": len(steps)},
        "prompt": prompt,
        "tools": conversation.tools,
    }
    trajectory = msgspec.convert(plain, Trajectory)
    trajectory.steps = steps
    return task, trajectory


def text_of(content: Any) -> str:
    """A message's content as text. Raises BadRecord for pictures and what is no content."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
    if any(not isinstance(text, str) for text in texts):
        raise BadRecord("a message's content is more than text.")
    return "".join(str(text) for text in texts)


def objects_in(value: Any, what: str) -> list[dict[str, Any]]:
    """A list of objects, also where it is written as JSON text. Raises BadRecord."""
    if isinstance(value, str) and value.strip():
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadRecord(f"its {what} are no JSON: {error}.") from error
    if not value:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise BadRecord(f"its {what} are no list of objects.")
    return value


def _checked(message: Message) -> Message:
    if message.get("role") not in _ROLES:
        raise BadRecord(f"a message of the role {message.get('role')!r}.")
    silent = message["role"] == "assistant" and message.get("content") is None
    content = None if silent else text_of(message.get("content"))
    others = {key: message[key] for key in _KEPT if message.get(key) is not None}
    kept: Message = {"role": message["role"], **others, "content": content}
    if not isinstance(kept.get("reasoning_content", ""), str):
        raise BadRecord("a reply's reasoning is no text.")
    if "tool_calls" in kept:
        kept["tool_calls"] = [_call(call) for call in objects_in(kept["tool_calls"], "calls")]
        if not kept["tool_calls"]:
            del kept["tool_calls"]
    if silent and "tool_calls" not in kept:
        kept["content"] = ""
    return kept


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    if not isinstance(call.get("id"), str) or not isinstance(function, dict):
        raise BadRecord("a call without an id, or without a function.")
    if function and not isinstance(function.get("name"), str):
        raise BadRecord("a call names no tool.")
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        function = {**function, "arguments": msgspec.json.encode(arguments).decode()}
    return {"id": call["id"], "type": "function", "function": function}


def _first_reply(messages: list[Message], given: int) -> int:
    own = (at for at, message in enumerate(messages) if at >= given and message["role"] == "assistant")
    began = next(own, None)
    if began is None:
        raise BadRecord("no reply of a model is in it.")
    if any(message["role"] in ("system", "developer") for message in messages[began:]):
        raise BadRecord("a system prompt stands within the conversation.")
    return began


def _task(
    conversation: Conversation, prompt: list[Message], record: Record, origin: Origin, task_type: str
) -> TaskSpec:
    """The task as the file has it, else what the user last asked before the first reply."""
    asked = [text_of(message.get("content")) for message in prompt if message["role"] == "user"] or [
        text_of(message.get("content")) for message in prompt
    ]
    if "description" not in conversation.task and not asked:
        raise BadRecord("nothing is asked before the first reply.")
    fields = {"task_type": task_type, **conversation.task}
    fields.setdefault("description", asked[-1] if asked else "")
    root_id = fields.pop("root_id", "")
    task = seed(origin, record.number, **fields)
    if root_id and isinstance(root_id, str):
        lineage = msgspec.structs.replace(task.lineage, root_id=root_id)
        task = msgspec.structs.replace(task, lineage=lineage)
    return task


def _steps(messages: list[Message], replies: dict[int, dict[str, Any]]) -> Iterator[ExecutionStep]:
    at, turn, number = 0, 0, 0
    while at < len(messages):
        end = at + 1
        while end < len(messages) and messages[end]["role"] != "assistant":
            end += 1
        reply, heard = messages[at], messages[at + 1 : end]
        steps = _of_turn(reply, heard, is_last=end == len(messages))
        steps[0].message, steps[0].thought = reply, thought_of(reply)
        for name, value in replies.get(at, {}).items():
            setattr(steps[0], name, value)
        for step in steps:
            number += 1
            step.step_id, step.turn = number, turn
        yield from steps
        at, turn = end, turn + 1


def _of_turn(reply: Message, heard: list[Message], *, is_last: bool) -> list[ExecutionStep]:
    """The steps of one reply: its calls in the order they were answered, then what the user said."""
    calls = {call["id"]: call for call in reply.get("tool_calls", ())}
    if len(calls) < len(reply.get("tool_calls", ())):
        raise BadRecord("two calls of a reply have the same id.")
    steps: list[ExecutionStep] = []
    for message in heard:
        if message["role"] == "tool":
            call = calls.pop(message.get("tool_call_id", ""), None)
            if call is None:
                raise BadRecord("a tool's result answers no call of the reply before it, or one twice.")
            steps.append(_step(message["content"], call))
        elif message["content"]:
            steps.append(_step(message["content"]))
        else:
            raise BadRecord("a message of the user is empty.")
    if calls and not is_last:
        raise BadRecord("a call is not answered.")
    steps += [_step(None, call) for call in calls.values()]
    return steps or [_step(None)]


def _step(observation: str | None, call: dict[str, Any] | None = None) -> ExecutionStep:
    step = ExecutionStep(step_id=0, action_type="tool_call", success=True, observation=observation)
    if call is not None:
        step.tool_call_id = call["id"]
        step.tool_name = str(call["function"].get("name") or "")
        step.action_params = _arguments(call["function"].get("arguments"))
    return step


def _arguments(text: Any) -> dict[str, Any]:
    try:
        arguments = msgspec.json.decode(text or "{}")
    except (msgspec.DecodeError, RecursionError, TypeError):
        return {}
    return arguments if isinstance(arguments, dict) else {}
