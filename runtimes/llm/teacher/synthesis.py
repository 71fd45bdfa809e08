"""Answers to synthesis prompts: the essence of a trajectory, a mutated idea, a complete task."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
from collections.abc import Callable
from typing import Any

import msgspec

from runtimes.llm.teacher.families import Recognised, is_novel, recognise
from runtimes.llm.teacher.inventions import Refused, invent

_TRIES = 60
_COMPLEXITY = ("simple", "medium", "complex")
_INDICATORS = {
    "code": ["the function gives the value worked out by hand", "the code is complete"],
    "web": ["the page shows the state or the figures asked for", "every item, page or account was visited"],
    "reasoning": ["every figure used was read off a page or the task", "the program ran without error"],
}
_SHOWN = 120
"""Characters of a call's argument that a key step quotes."""


def answer(title: str, prompt: str) -> dict[str, Any]:
    """The object that the schema called `title` asks for, or `{"refused": reason}`."""
    try:
        given = _given(prompt)
        if title not in _ANSWERS:
            raise Refused(f"I know no schema {title!r}, only {', '.join(_ANSWERS)}.")
        return _ANSWERS[title](given)
    except (KeyError, TypeError) as error:
        return {"refused": f"The prompt's JSON lacks or misuses {error}."}
    except Refused as refusal:
        return {"refused": str(refusal)}


def _given(prompt: str) -> dict[str, Any]:
    try:
        given = json.loads(prompt[prompt.index("{") : prompt.rindex("}") + 1])
    except ValueError as error:
        raise Refused("The prompt holds no JSON object.") from error
    if not isinstance(given, dict):
        raise Refused("The prompt holds no JSON object.")
    return given


def _recognised(description: str) -> Recognised:
    known = recognise(description)
    if known is None:
        raise Refused("The wording of the task is new to me.")
    return known


def _essence(given: dict[str, Any]) -> dict[str, Any]:
    task, steps = given["task"], given["steps"]
    known = _recognised(task["description"])
    family = known.family
    worked = [step for step in steps if step["success"]]
    mended = len(steps) - len(worked)
    tools = list(dict.fromkeys(step["tool"] for step in worked))
    pattern = f"{family.name.replace('_', ' ')}: {' -> '.join(tools) or 'no call'}"
    if mended:
        pattern += f"; {mended} failed step(s) mended on the way"
    level = min(family.level(known.params), len(_COMPLEXITY))
    return {
        "domain": family.domain_of(known.params),
        "query": task["description"],
        "complexity_level": _COMPLEXITY[level - 1],
        "success_pattern": {
            "key_steps": _key_steps(worked),
            "execution_pattern": pattern,
            "success_indicators": _INDICATORS[family.task_type],
        },
    }


def _key_steps(steps: list[dict[str, Any]]) -> list[str]:
    """One line a step: the tool and its longest argument, which says the most; repetitions left out."""
    lines = []
    for step in steps:
        arguments = step["arguments"] if isinstance(step["arguments"], dict) else {}
        words = max((" ".join(str(value).split()) for value in arguments.values()), key=len, default="")
        lines.append(f"{step['tool']}: {words[:_SHOWN]}".rstrip(": "))
    return list(dict.fromkeys(lines)) or ["answer without a call"]


def _mutated(given: dict[str, Any]) -> dict[str, Any]:
    parent = given["parent"]["description"]
    known = _recognised(parent)
    partner = _recognised(given["partner"]["description"]) if given.get("partner") else None
    digest = hashlib.sha256(json.dumps(given, sort_keys=True, ensure_ascii=False).encode()).digest()
    rng = random.Random(int.from_bytes(digest))
    avoid = [parent, *given.get("avoid", [])]
    language = given.get("language", known.language)
    reason = "Everything I can think of is a near-copy of a task to be avoided."
    for _ in range(_TRIES):
        try:
            made = invent(given["operator"], known, partner, rng)
            description = made.family.render(made.params, language, rng.randrange(made.family.variety))
        except ValueError as error:
            # What does not go together this time may do so with other values.
            reason = f"I have tried {_TRIES} times: {error}."
            continue
        if is_novel(description, avoid):
            change = made.change or _change(known.params, made.params)
            domain = made.domain or made.family.domain_of(made.params)
            return {"description": description, "change": change, "domain": domain}
    raise Refused(reason)


def _change(old: Any, new: Any) -> str:
    """Which parameters differ, in words."""
    pairs = ((f.name, getattr(old, f.name), getattr(new, f.name)) for f in dataclasses.fields(old))
    return "; ".join(f"{name}: {before} -> {after}" for name, before, after in pairs if before != after)


def _task(given: dict[str, Any]) -> dict[str, Any]:
    known = _recognised(given["description"])
    family = known.family
    if given["task_type"] != family.task_type:
        raise Refused(f"The description words a {family.task_type} task, not a {given['task_type']} one.")
    missing = set(family.tools_for(known.params)) - {"complete_task"} - set(given["available_tools"])
    if missing:
        raise Refused(f"It takes {', '.join(sorted(missing))}, which is not available.")
    task = family.task(known.params, given["description"])
    return {
        "expected_tools": task.expected_tools,
        "constraints": task.constraints,
        "max_steps": task.max_steps,
        "timeout": task.timeout,
        "verifier": msgspec.to_builtins(task.verifier),
        "solution": family.solution(known.params),
    }


def _solution(given: dict[str, Any]) -> dict[str, Any]:
    known = _recognised(given["task"]["description"])
    if not (source := known.family.solution(known.params)):
        raise Refused("No program solves this task.")
    return {"solution": source}


_ANSWERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "EssenceDraft": _essence,
    "MutatedIdea": _mutated,
    "TaskDraft": _task,
    "CodeSolution": _solution,
}
