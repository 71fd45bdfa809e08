"""The format `atif`: the Agent Trajectory Interchange Format, version 1.7, one episode a line.

A step is a message of the prompt or a reply of the model, with its calls and what came of them; what the
schema has no key for (verdict, errors, durations, the task) is in `extra`. No key is there without a value,
but within arguments, which are the model's own words. The schema: harbor-framework/harbor, RFC 0001.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from adp_assets.curation.examples import Episode, Example, Shape
from adp_assets.curation.formats.base import Format, Stamp, Unholdable, Written
from adp_assets.curation.formats.lines import JsonLines, json_text
from runtimes.contracts import ExecutionStep, Message, TaskSpec, Trajectory

SCHEMA_VERSION = "ATIF-v1.7"
AGENT = "agent-data-platform"

_VERDICT = ("outcome", "reward", "verified", "verifier", "judged", "error_type", "error_message")
_MADE = ("round", "sample", "runtime_id", "teacher", "total_duration", "created_at", "final_result")


class Atif(Format):
    """JSON lines of ATIF trajectories."""

    shapes: ClassVar[frozenset[Shape]] = frozenset({"trajectories"})

    def sink(self, shape: Shape, folder: Path, stamp: Stamp) -> JsonLines:
        return JsonLines(folder)

    def record(self, example: Example, written: Written) -> dict[str, Any]:
        if not isinstance(example, Episode):
            raise TypeError(f"no episode: {type(example).__name__}")
        return document(example)


def document(example: Episode) -> dict[str, Any]:
    """An episode as an ATIF document. Raises Unholdable."""
    trajectory = example.trajectory
    if not any(step.message for step in trajectory.steps):
        raise Unholdable("no reply of a model is recorded")
    steps = [*_prompt_steps(trajectory.prompt), *_reply_steps(trajectory)]
    agent = {
        "name": AGENT,
        "version": trajectory.code_version or "unknown",
        "model_name": trajectory.model or None,
        "tool_definitions": trajectory.tools or None,
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "session_id": trajectory.round or example.id,
        "trajectory_id": example.id,
        "agent": _without_nulls(agent),
        "steps": [{"step_id": number, **step} for number, step in enumerate(steps, start=1)],
        "final_metrics": _without_nulls(
            {
                "total_prompt_tokens": trajectory.prompt_tokens,
                "total_completion_tokens": trajectory.completion_tokens,
                "total_cost_usd": trajectory.cost_usd,
                "total_steps": len(steps),
            }
        ),
        "extra": _extra(example, trajectory),
    }


def _extra(example: Episode, trajectory: Trajectory) -> dict[str, Any]:
    recorded = {name: getattr(trajectory, name) for name in (*_VERDICT, *_MADE)}
    counts = {name: example.about.get(name) for name in ("characters", "tokens")}
    told = {"split": example.split, **recorded, **counts, "task": _shown(example.task)}
    return _without_nulls(told)


def _shown(task: TaskSpec) -> dict[str, Any]:
    """The task as its agent saw it, and its root: what verifies it stays out of training data."""
    plain: dict[str, Any] = msgspec.to_builtins(task.for_agent())
    kept = ("task_id", "task_type", "description", "expected_tools", "constraints")
    return {**{name: plain[name] for name in kept}, "root_id": task.lineage.root_id}


def _prompt_steps(prompt: list[Message]) -> Iterator[dict[str, Any]]:
    waiting: dict[str, Any] = {}
    for message in prompt:
        if message["role"] == "tool":
            if not waiting:
                raise Unholdable("a tool's result answers no call")
            results = waiting.setdefault("observation", {"results": []})["results"]
            results.append({"source_call_id": message["tool_call_id"], "content": _text(message["content"])})
            continue
        if waiting:
            yield waiting
        if message["role"] == "assistant":
            waiting = {"source": "agent", **_said(message), "is_copied_context": True}
            continue
        waiting = {}
        yield {"source": _source(message["role"]), "message": _text(message.get("content"))}
    if waiting:
        yield waiting


def _reply_steps(trajectory: Trajectory) -> Iterator[dict[str, Any]]:
    replies = [at for at, step in enumerate(trajectory.steps) if step.message is not None]
    for at, end in zip(replies, [*replies[1:], len(trajectory.steps)], strict=True):
        yield from _turn(trajectory.steps[at:end])


def _turn(steps: list[ExecutionStep]) -> Iterator[dict[str, Any]]:
    """A reply with its calls and their results, then what the user said to it."""
    first = steps[0]
    turn: dict[str, Any] = {"source": "agent", **_said(first.message or {})}
    if first.timestamp:
        turn["timestamp"] = datetime.fromtimestamp(first.timestamp, UTC).isoformat()
    metrics = {name: getattr(first, name) for name in ("prompt_tokens", "completion_tokens", "cost_usd")}
    turn["metrics"] = _without_nulls(metrics)
    calls = {call["tool_call_id"]: call for call in turn.get("tool_calls", ())}
    for step in steps:
        calls.get(step.tool_call_id, turn)["extra"] = _outcome(step)
    observed = [step for step in steps if step.observation is not None]
    results = [
        {"source_call_id": step.tool_call_id, "content": _text(step.observation)}
        for step in observed
        if step.tool_call_id
    ]
    if any(result["source_call_id"] not in calls for result in results):
        raise Unholdable("a tool's result answers no call")
    if results:
        turn["observation"] = {"results": results}
    yield turn
    for step in observed:
        if not step.tool_call_id and step.observation:
            yield {"source": "user", "message": _text(step.observation)}


def _said(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"message": _text(message.get("content"))}
    if reasoning := message.get("reasoning_content"):
        said["reasoning_content"] = _text(reasoning)
    if calls := message.get("tool_calls"):
        said["tool_calls"] = [_call(call) for call in calls]
    return said


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    arguments = function.get("arguments") or {}
    if isinstance(arguments, str):
        try:
            arguments = msgspec.json.decode(arguments)
        except (msgspec.DecodeError, RecursionError):
            raise Unholdable("a call whose arguments are no JSON") from None
    if not isinstance(arguments, dict) or not isinstance(function.get("name"), str):
        raise Unholdable("a call without a name, or whose arguments are no object")
    return {
        "tool_call_id": str(call.get("id") or ""),
        "function_name": function["name"],
        "arguments": arguments,
    }


def _outcome(step: ExecutionStep) -> dict[str, Any]:
    names = ("success", "error_type", "error_message", "duration")
    return _without_nulls({name: getattr(step, name) for name in names})


def _source(role: str) -> str:
    if role in ("system", "user"):
        return role
    if role == "developer":
        return "system"
    raise Unholdable("a message of a role that the format does not know")


def _text(content: Any) -> str:
    if content is None:
        return ""
    return content if isinstance(content, str) else json_text(content)


def _without_nulls(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


ATIF = Atif()
