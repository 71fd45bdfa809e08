"""The words an agent is given first. Synthesis prompts live beside their stages, not here."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from runtimes.contracts import Message, TaskSpec

SYSTEM = (
    "You are an agent that solves tasks by calling tools. Work step by step: say briefly what you are about "
    "to do, call a tool, read what it returns. When the task is done, call complete_task with the final "
    "answer (for a programming task the complete source code, otherwise just the value asked for). "
    "Answer in the language of the task."
)


CURRENT_PAGE = "\n\nCurrent page:\n"
"""What stands before the first page's observation."""


def episode_messages(task: TaskSpec, missing_tools: list[str], page: str | None) -> list[Message]:
    """The messages an episode starts with; `page` is the first page's observation where there is one."""
    user = task.description
    if task.constraints:
        user += f"\n\nConstraints (JSON): {json.dumps(task.constraints, ensure_ascii=False, sort_keys=True)}"
    if missing_tools:
        user += f"\n\nNot available here: {', '.join(missing_tools)}."
    if page is not None:
        user += f"{CURRENT_PAGE}{page}"
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]


def first_page(messages: list[Message]) -> str:
    """The first page's observation in the messages an episode started with; empty where there is none."""
    return str(messages[-1]["content"]).partition(CURRENT_PAGE)[2] if messages else ""


def prompt_hash(messages: list[Message], tools: list[dict[str, Any]]) -> str:
    """A short hash of what the model was given first; equal hashes mean comparable episodes."""
    canonical = json.dumps([messages, tools], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]
