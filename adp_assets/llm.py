"""Many questions to the model at a time, for distillation and mutation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from runtimes.errors import InfrastructureError, ModelRefused, ToolError
from runtimes.llm.structured import NotAnswered

Q = TypeVar("Q")
A = TypeVar("A")


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

    try:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(one(question)) for question in questions]
    except BaseExceptionGroup as faults:
        raise faults.exceptions[0] from faults
    if failures and len(failures) == len(questions):
        raise failures[-1]
    return [task.result() for task in asked]
