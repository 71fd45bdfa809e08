"""Asking the model for JSON of a given shape, many questions at a time, for distillation and mutation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from runtimes.contracts import Message
from runtimes.errors import InfrastructureError, ModelRefused, ToolError
from runtimes.llm.base import ChatModel, Sampling

ShapeT = TypeVar("ShapeT", bound=Struct)
Q = TypeVar("Q")
A = TypeVar("A")


class NotAnswered(Exception):
    """The model's reply was not of the shape asked for, also after it was told so once."""


async def ask(model: ChatModel, shape: type[ShapeT], instruction: str, facts: dict[str, Any]) -> ShapeT:
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
        reply = await model.complete(messages, sampling=Sampling(seed=0), schema=schema)
        text = str(reply.message.get("content") or "")
        try:
            return msgspec.json.decode(object_in(text), type=shape)
        except msgspec.MsgspecError as error:
            faults.append(f"{error}; the reply was {text[:200]!r}")
            repair = f"That is not right: {error}. Reply with the JSON object only."
            messages = [*messages, reply.message, {"role": "user", "content": repair}]
    raise NotAnswered(faults[0])


async def ask_all(
    questions: Sequence[Q], answer: Callable[[Q], Awaitable[A]], *, at_once: int
) -> list[A | NotAnswered]:
    """Answers in the order of the questions, `at_once` in flight; a question not answered gives its error.

    Raises ModelRefused at once, and the model's failure when it left every question unanswered.
    """
    gate = asyncio.Semaphore(at_once)
    failures: list[InfrastructureError] = []

    async def one(question: Q) -> A | NotAnswered:
        async with gate:
            try:
                return await answer(question)
            except NotAnswered as error:
                return error
            except ToolError as error:
                return NotAnswered(str(error))
            except ModelRefused:
                raise
            except InfrastructureError as error:
                failures.append(error)
                return NotAnswered(str(error))

    answers = await asyncio.gather(*(one(question) for question in questions))
    if failures and len(failures) == len(questions):
        raise failures[-1]
    return answers


def object_in(text: str) -> str:
    """The outermost JSON object in a reply that may wrap it in a fence or in words."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text
