"""The format `sharegpt`, as LLaMA-Factory reads it: turns that alternate, the system prompt and tools apart.

Odd turns are `human` or `observation`, even ones `gpt` or `function_call`. A `function_call` is the call as
JSON, several of them as a list; the results of several are one observation, joined as LLaMA-Factory joins
those of OpenAI's format. Reasoning stands in `<think>`; where a reply says something beside its calls, these
stand in `<tool_call>` after it. Calls have no ids. `dataset_info.json` tells LLaMA-Factory which key is what.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from adp_assets.curation.examples import Demonstration, Example, Shape
from adp_assets.curation.formats.base import NO_TEXT, Format, Sink, Stamp, Unholdable, Written
from adp_assets.curation.formats.lines import JsonLines, json_bytes, json_text
from adp_assets.curation.formats.turns import Turn, calls, ends_with_reply, turns
from runtimes.contracts import Message

THINK = ("<think>\n", "\n</think>\n\n")
CALLS = ("<tool_call>", "</tool_call>")
BETWEEN_RESULTS = "\n</tool_response>\n<tool_response>\n"

_TOLD = ("id", "task_id", "root_id", "task_type", "teacher", "model")
_COUNTED = ("characters", "tokens")
"""Of what is known of an example, what is never null: readers infer a column's type from its first rows."""


class ShareGPT(Format):
    """JSON lines of alternating turns. A single reply's example is trained with `mask_history: true`."""

    shapes: ClassVar[frozenset[Shape]] = frozenset({"sft", "steps"})

    @contextmanager
    def sink(self, shape: Shape, folder: Path, stamp: Stamp) -> Iterator[Sink]:
        with JsonLines(folder) as lines:
            yield lines
        names = sorted(path.name for path in folder.glob("*.jsonl"))
        (folder / "dataset_info.json").write_bytes(json_bytes({name: _info(name) for name in names}) + b"\n")

    def record(self, example: Example, written: Written) -> dict[str, Any]:
        if not isinstance(example, Demonstration):
            raise TypeError(f"no conversation in {type(example).__name__}")
        ends_with_reply(example.messages)
        found = turns(example.messages)
        system = found.pop(0).message["content"] if found[0].message["role"] == "system" else ""
        conversations = [entry for turn in found for entry in _entries(turn)]
        for at, entry in enumerate(conversations):
            if (entry["from"] in ("human", "observation")) is not (at % 2 == 0):
                raise Unholdable("its turns do not alternate")
        return {
            "conversations": conversations,
            "system": system,
            "tools": json_text([_bare(tool) for tool in example.tools]) if example.tools else "",
            **{name: example.about.get(name) or "" for name in _TOLD},
            **{name: example.about.get(name) or 0 for name in _COUNTED},
        }


def _entries(turn: Turn) -> Iterator[dict[str, str]]:
    message = turn.message
    if any(not isinstance(each["content"], str) for each in (message, *turn.answers)):
        raise Unholdable(NO_TEXT)
    if message["role"] == "user":
        yield {"from": "human", "value": message["content"]}
    elif message["role"] == "assistant":
        yield {"from": "function_call" if calls(message) else "gpt", "value": _said(message)}
    else:
        raise Unholdable("a system prompt stands within the conversation")
    if turn.answers:
        yield {"from": "observation", "value": _observed(turn)}


def _said(message: Message) -> str:
    reasoning: str = message.get("reasoning_content", "")
    text: str = message["content"]
    if any(mark in reasoning + text for mark in (THINK[1].strip(), *CALLS)):
        raise Unholdable("a reply holds the marks that set reasoning and calls apart")
    thought = f"{THINK[0]}{reasoning}{THINK[1]}" if reasoning else ""
    made = [call["function"] for call in calls(message)]
    if not made:
        return thought + text
    plain = [{"name": function["name"], "arguments": function["arguments"]} for function in made]
    # A mark within an argument would end the calls too early; as an escape it is the same JSON.
    shown = json_text(plain if len(plain) > 1 else plain[0]).replace("<", "\\u003c")
    return thought + (f"{text}{CALLS[0]}{shown}{CALLS[1]}" if text else shown)


def _observed(turn: Turn) -> str:
    if [answer["tool_call_id"] for answer in turn.answers] != [call["id"] for call in calls(turn.message)]:
        raise Unholdable("results stand in another order than their calls")
    results = [answer["content"] for answer in turn.answers]
    if len(results) > 1 and any(BETWEEN_RESULTS.strip() in result for result in results):
        raise Unholdable("a result holds the mark that sets results apart")
    return BETWEEN_RESULTS.join(results)


def _bare(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool as every LLaMA-Factory reads it: without the wrapping that says it is a function."""
    function = tool.get("function")
    return function if isinstance(function, dict) and tool.keys() == {"type", "function"} else tool


def _info(name: str) -> dict[str, Any]:
    columns = {"messages": "conversations", "system": "system", "tools": "tools"}
    return {"file_name": name, "formatting": "sharegpt", "columns": columns}


SHAREGPT = ShareGPT()
