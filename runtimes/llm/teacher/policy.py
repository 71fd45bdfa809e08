"""The teacher's reply as a pure function of the messages: which task, what has been seen, what comes next."""

from __future__ import annotations

import hashlib
import json
import random
import re
from typing import Any

from runtimes.contracts import Message
from runtimes.llm.base import Sampling
from runtimes.llm.teacher import synthesis
from runtimes.llm.teacher.families import recognise
from runtimes.llm.teacher.families.base import Call, Family, GaveUp, Slip, Solution, Start, finish
from runtimes.llm.teacher.thinking import think

COMPLETE_TASK = "complete_task"
_PAGE = "\n\nCurrent page:\n"
_CONSTRAINTS = "\n\nConstraints (JSON): "
_AFTER_TASK = re.compile(r"\n\n(?:Constraints \(JSON\): |Not available here: |Current page:\n)")


def reply(
    messages: list[Message],
    tools: list[dict[str, Any]] | None,
    sampling: Sampling,
    schema: dict[str, Any] | None,
    error_rate: float,
) -> Message:
    """The assistant message that follows `messages`.

    With a `schema` it answers a synthesis prompt; else it takes the next step of the episode, by replaying
    the solution against the observations so far. What it does not know it refuses in plain text.
    """
    if schema is not None:
        content = synthesis.answer(str(schema.get("title", "")), _text(messages[-1]) if messages else "")
        return {"role": "assistant", "content": json.dumps(content, ensure_ascii=False)}
    opening = next((_text(m) for m in messages if m.get("role") == "user"), "")
    description = _AFTER_TASK.split(opening, maxsplit=1)[0].strip()
    known = recognise(description)
    if known is None:
        thought = think(description)
        return {"role": "assistant", "content": thought} if thought else _refusal("its wording is new to me.")
    chance = chance_of_slip(error_rate, known.family.level(known.params))
    start = _start(opening, description, sampling, chance)
    observations = [_text(m) for m in messages if m.get("role") == "tool"]
    call = _next_call(_attempt(known.family, known.params, start), observations)
    granted = {tool["function"]["name"] for tool in tools or []}
    if call.tool == COMPLETE_TASK and COMPLETE_TASK not in granted:
        return {"role": "assistant", "content": call.arguments["answer"]}
    if call.tool not in granted:
        return _refusal(f"it takes the tool {call.tool}, which is not among those I was given.")
    return _calling(call, len(observations) + 1)


def chance_of_slip(error_rate: float, level: int) -> float:
    """How likely an episode slips: each thing that makes its task harder can go wrong at `error_rate`."""
    return float(1 - (1 - error_rate) ** level)


def slip_of(description: str, seed: int | None, chance: float) -> Slip:
    """The slip of one episode: with probability `chance` there is one, half of them recoverable."""
    drawn = _rng(description, seed, "slip").random()
    if drawn >= chance:
        return Slip.NONE
    return Slip.RECOVERABLE if drawn < chance / 2 else Slip.FATAL


def _start(opening: str, description: str, sampling: Sampling, chance: float) -> Start:
    head, _, page = opening.partition(_PAGE)
    _, _, constraints = head.partition(_CONSTRAINTS)
    try:
        url = json.JSONDecoder().raw_decode(constraints)[0].get("start_url") or ""
    except (ValueError, AttributeError):
        url = ""
    return Start(
        slip=slip_of(description, sampling.seed, chance),
        page=page,
        url=str(url),
        variant=_rng(description, sampling.seed, "variant").randrange(1000),
    )


def _attempt(family: Family[Any], params: Any, start: Start) -> Solution:
    """The family's solution, ended honestly where it gives up."""
    try:
        yield from family.solve(params, start)
    except GaveUp as reason:
        yield finish(f"I could not {reason}.", "I see no other way, so I say what I could not do.")


def _next_call(solution: Solution, observations: list[str]) -> Call:
    call = next(solution)
    for seen in observations:
        if call.tool == COMPLETE_TASK:
            break
        call = solution.send(seen)
    return call


def _calling(call: Call, number: int) -> Message:
    function = {"name": call.tool, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
    return {
        "role": "assistant",
        "content": call.thought,
        "tool_calls": [{"id": f"call_{number}", "type": "function", "function": function}],
    }


def _refusal(reason: str) -> Message:
    return {"role": "assistant", "content": f"I do not know how to do this task: {reason}"}


def _text(message: Message) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content if isinstance(part, dict))


def _rng(description: str, seed: int | None, purpose: str) -> random.Random:
    digest = hashlib.sha256(json.dumps([description, seed, purpose]).encode()).digest()
    return random.Random(int.from_bytes(digest))
