"""The format `openai-jsonl`: OpenAI's fine-tuning files, for supervised training and for preferences.

Call arguments are JSON strings. The service takes no other keys than its own, so what else is told of an
example stands in a file of the same name and order under `about/`. Reasoning has no place in these files:
replies go without it, and such examples are counted as changed. A single reply's example has weight 0 on the
replies before. OpenAI itself trains on one reply a side of a pair; Azure also takes calls and their results.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from adp_assets.curation.examples import Demonstration, Example, Preference, Shape
from adp_assets.curation.formats.base import Format, Sink, Stamp, Unholdable, Written
from adp_assets.curation.formats.lines import JsonLines, json_text
from adp_assets.curation.formats.turns import calls, ends_with_reply, turns
from runtimes.contracts import Message

REASONING = "reasoning, for which the format has no place, is left off"
_SIDE_ROLES = {"assistant", "tool"}


class OpenAILines(Format):
    """JSON lines as OpenAI's fine-tuning takes them."""

    shapes: ClassVar[frozenset[Shape]] = frozenset({"sft", "steps", "preference"})

    @contextmanager
    def sink(self, shape: Shape, folder: Path, stamp: Stamp) -> Iterator[Sink]:
        with ExitStack() as stack:
            examples = stack.enter_context(JsonLines(folder))
            yield _Both(examples, stack.enter_context(JsonLines(folder / "about")))

    def record(self, example: Example, written: Written) -> tuple[dict[str, Any], dict[str, Any]]:
        if isinstance(example, Preference):
            line = _preference(example)
            said = [*example.prompt, *example.chosen, *example.rejected]
        elif isinstance(example, Demonstration):
            line = _demonstration(example)
            said = example.messages
        else:
            raise TypeError(f"no conversation in {type(example).__name__}")
        if any("reasoning_content" in message for message in said):
            written.changed[REASONING] += 1
        return line, example.about


class _Both:
    """Examples, and beside each what is told of it."""

    def __init__(self, examples: JsonLines, about: JsonLines) -> None:
        self.examples = examples
        self.about = about

    def add(self, split: str, record: tuple[dict[str, Any], dict[str, Any]]) -> None:
        line, told = record
        self.examples.add(split, line)
        self.about.add(split, told)


def _demonstration(example: Demonstration) -> dict[str, Any]:
    turns(example.messages)
    ends_with_reply(example.messages)
    messages = [openai_message(message) for message in example.messages]
    if "reply" in example.about:
        for message in messages[:-1]:
            if message["role"] == "assistant":
                message["weight"] = 0
    return {"messages": messages, **_given(example.tools, example.messages)}


def _preference(example: Preference) -> dict[str, Any]:
    for side in (example.chosen, example.rejected):
        turns([*example.prompt, *side])
        if any(message["role"] not in _SIDE_ROLES for message in side):
            raise Unholdable("a side of the pair has a user's message")
    said = [*example.chosen, *example.rejected]
    prompt = [openai_message(message) for message in example.prompt]
    return {
        "input": {"messages": prompt, **_given(example.tools, said)},
        "preferred_output": [openai_message(message) for message in example.chosen],
        "non_preferred_output": [openai_message(message) for message in example.rejected],
    }


def openai_message(message: Message) -> dict[str, Any]:
    """A message with the keys that OpenAI knows; a reply with calls and no words has no content."""
    kept: dict[str, Any] = {
        key: message[key] for key in ("role", "content", "name", "tool_call_id") if key in message
    }
    if made := calls(message):
        if not kept.get("content"):
            kept.pop("content", None)
        kept["tool_calls"] = [_call(call) for call in made]
    return kept


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = json_text(function["arguments"])
    return {
        "id": call["id"],
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }


def _given(tools: list[dict[str, Any]], messages: list[Message]) -> dict[str, Any]:
    """The tools, and whether several calls may be made in one reply: whether that is what is shown."""
    if not tools:
        if any(calls(message) for message in messages):
            raise Unholdable("it calls tools, and no tools are known")
        return {}
    return {"tools": tools, "parallel_tool_calls": any(len(calls(message)) > 1 for message in messages)}


OPENAI_JSONL = OpenAILines()
