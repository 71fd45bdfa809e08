"""One trajectory as the page shows it: texts cut to what a person reads, nothing said twice."""

from __future__ import annotations

from typing import Any

import msgspec

from adp_assets.report.lineage import title_of
from runtimes.contracts import ExecutionStep, Message, Trajectory, WebRecord, trajectory_from_json

LONGEST = 20_000
"""Characters of one text, such as an observation; of a longer one the page tells how long it is."""

Shown = dict[str, Any]
Text = str | list[str | int]
"""The whole of a text, or its beginning and how many characters there are."""


def episode(document: str | None) -> Shown:
    """What the page shows of a trajectory's JSON; `unreadable` says why it can show nothing."""
    if document is None:
        return {"unreadable": "The row holds no trajectory."}
    try:
        trajectory = trajectory_from_json(document)
    except msgspec.DecodeError as error:  # ValidationError is one
        return {"unreadable": f"The trajectory cannot be read: {error}"}
    return _without_nothing(
        {
            "prompt": [_message(message) for message in trajectory.prompt],
            "tools": [_tool(tool) for tool in trajectory.tools],
            "steps": [_step(step, trajectory) for step in trajectory.steps],
            "answer": None if trajectory.final_result is None else _text(trajectory.final_result),
            "error": _text(trajectory.error_message or ""),
            "reason": _text(trajectory.grade_reason),
            "judged": trajectory.judged,
            "surplus": trajectory.surplus,
            "facts": _facts(trajectory),
        }
    )


def described(description: str | None) -> Shown:
    """The task's own words, where they are more than the list's title has."""
    return {"description": _text(description)} if description and title_of(description) != description else {}


def pictures(shown: Shown) -> list[str]:
    """The digests of the screenshots that its steps name."""
    return [step["picture"] for step in shown.get("steps", []) if "picture" in step]


def _step(step: ExecutionStep, trajectory: Trajectory) -> Shown:
    observation = "" if step.observation is None else _plain(step.observation)
    message = step.error_message or ""
    return _without_nothing(
        {
            "tool": step.tool_name,
            "ok": step.success,
            "error": step.error_type or "",
            # An observation of a failure mostly holds its message.
            "message": "" if message in observation else _text(message),
            "thought": _text(step.thought),
            "call": [[str(name), _text(value)] for name, value in _call(step).items()],
            "observation": _text(observation),
            "trims": [trim.turn + 1 for trim in trajectory.trims if trim.step_id == step.step_id],
            "seconds": round(step.duration, 3),
            "tokens": [step.prompt_tokens, step.completion_tokens] if step.message is not None else None,
            "cost": step.cost_usd,
            **({} if step.web is None else _web(step.web)),
        }
    )


def _call(step: ExecutionStep) -> dict[str, Any]:
    """The arguments; of a page's step without the action's name, which is the tool's."""
    return {
        name: value
        for name, value in step.action_params.items()
        if not (name == "action" and value == step.tool_name)
    }


def _web(web: WebRecord) -> Shown:
    page = {
        "on": web.locator,
        "to": web.to_locator,
        "page": web.url_after or web.url_before,
        "fault": web.error_class,
        "blocked": ", ".join(web.blocked),
        "dialogs": "; ".join(" ".join(dialog.values()) for dialog in web.dialogs),
        "downloads": ", ".join(web.downloads),
    }
    return {
        "picture": web.screenshot,
        "web": [[name, _text(value)] for name, value in page.items() if value],
    }


def _message(message: Message) -> Shown:
    return {"role": str(message.get("role", "")), "text": _text(message.get("content") or "")}


def _tool(tool: dict[str, Any]) -> list[Text]:
    about = tool.get("function")
    function: dict[str, Any] = about if isinstance(about, dict) else tool
    return [
        str(function.get("name", "")),
        _text(function.get("description") or ""),
        _text(function.get("parameters") or ""),
    ]


def _facts(trajectory: Trajectory) -> list[list[str]]:
    facts = {
        "runtime": trajectory.runtime_id,
        "sampling": _plain(trajectory.sampling) if trajectory.sampling else "",
        "prompt hash": trajectory.prompt_hash,
        "code version": trajectory.code_version,
    }
    return [[name, value[:LONGEST]] for name, value in facts.items() if value]


def _text(value: Any) -> Text:
    text = _plain(value)
    return text if len(text) <= LONGEST else [text[:LONGEST], len(text)]


def _plain(value: Any) -> str:
    """Text as it is, anything else as JSON; numbers stay as they were written, however large."""
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    except (RecursionError, TypeError, ValueError) as error:
        return f"({type(value).__name__} that cannot be shown: {error})"


def _without_nothing(shown: Shown) -> Shown:
    """Without what is not there; a number is, and be it 0."""
    return {
        name: value
        for name, value in shown.items()
        if value is not None and value is not False and value not in ("", [])
    }
