"""Asking a model for JSON of a given shape: how it is asked, what is taken for an answer, and one repair.

What form of structured output a provider takes is the client's business.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from runtimes.contracts import Message
from runtimes.llm.base import ChatModel, Reply, Sampling
from runtimes.text import well_formed

ShapeT = TypeVar("ShapeT", bound=Struct)

LONGEST_RETURNED = 20_000
"""Characters of a bad answer that the model is shown again; a longer one would only be paid for twice."""

_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)


class NotAnswered(Exception):
    """The model's reply was not of the shape asked for, also after it was told so once."""


async def ask(
    model: ChatModel,
    shape: type[ShapeT],
    instruction: str,
    facts: dict[str, Any],
    *,
    sampling: Sampling = Sampling(seed=0),
) -> ShapeT:
    """One question, `facts` as JSON in it, answered as `shape`. Raises NotAnswered with the reason."""
    schema = msgspec.json.schema(shape)
    schema = {"title": shape.__name__, **schema["$defs"][shape.__name__], "$defs": schema["$defs"]}
    messages: list[Message] = [
        {
            "role": "system",
            "content": f"{instruction}\nReply with one JSON object of this schema and nothing else:\n"
            + json.dumps(schema, ensure_ascii=False),
        },
        {"role": "user", "content": json.dumps(facts, ensure_ascii=False)},
    ]
    faults: list[str] = []
    for _ in range(2):
        reply = await model.complete(messages, sampling=sampling, schema=schema)
        text = well_formed(str(reply.message.get("content") or ""))
        try:
            return msgspec.json.decode(object_in(text), type=shape)
        except (msgspec.MsgspecError, RecursionError) as error:
            fault = _fault(reply, error)
            faults.append(f"{fault}; the reply was {text[:200]!r}")
            returned = (
                [{"role": "assistant", "content": text}] if text and len(text) <= LONGEST_RETURNED else []
            )
            repair = f"That is not right: {fault}. Reply with the JSON object only."
            messages = [*messages, *returned, {"role": "user", "content": repair}]
    raise NotAnswered(faults[0])


def object_in(text: str) -> str:
    """The outermost JSON object in a reply that may wrap it in a fence, in words or after its thoughts."""
    if "<think>" in text:
        text = _THINKING.sub("", text)
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text


def _fault(reply: Reply, error: Exception) -> str:
    if reply.finish_reason == "length":
        return "the reply was cut off at the limit of its length; be briefer"
    return str(error)
