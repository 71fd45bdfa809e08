"""Many questions to the model at a time, for distillation and mutation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from runtimes.errors import (
    BudgetSpent,
    ConfigurationError,
    InfrastructureError,
    ModelRefused,
    ModelUnavailable,
    ToolError,
)
from runtimes.llm.structured import NotAnswered
from runtimes.text import readable

log = logging.getLogger(__name__)

Q = TypeVar("Q")
A = TypeVar("A")

MAX_OUTAGES_IN_A_ROW = 10
"""So many questions without a reply and no answer between them, beyond those that were in flight together,
mean that the model is down."""


async def ask_all(
    questions: Sequence[Q], answer: Callable[[Q], Awaitable[A]], *, at_once: int
) -> list[A | NotAnswered]:
    """Answers in the order of the questions, `at_once` in flight.

    A NotAnswered is what became of its question and may be kept as such: the reply was not of the shape asked
    for, the model's server rejects this one request, or its answer met a fault that nobody foresaw, which is
    logged and must not cost the others theirs. An outage is no answer, and never among them: a
    question that met one is put once more after all others, and where it meets another, ModelUnavailable is
    raised. Whoever asks the same again has what was answered from the response cache, and asks for the rest.

    Raises at once, and cancels what is in flight, where no other question could do better: ModelRefused,
    BudgetSpent, ConfigurationError, and ModelUnavailable where outages follow one another. Raises the
    server's rejection when it left every question unanswered, and the fault nobody foresaw when every one of
    several questions met one.
    """
    asked = _Asked(questions, answer, at_once)
    for _ in range(2):
        asked.outages.clear()
        await asked.put([n for n in range(len(questions)) if n not in asked.answers])
        if not asked.outages:
            break
    else:
        raise _unavailable(asked.outages[-1], len(questions) - len(asked.answers), len(questions))
    if asked.rejections and len(asked.rejections) == len(questions):
        raise asked.rejections[-1]
    if len(asked.unforeseen) == len(questions) > 1:
        raise asked.unforeseen[-1]
    return [asked.answers[n] for n in range(len(questions))]


class _Asked(Generic[Q, A]):
    """Questions and what came of them: answers by the question's number, and the failures of others."""

    def __init__(self, questions: Sequence[Q], answer: Callable[[Q], Awaitable[A]], at_once: int) -> None:
        self.questions = questions
        self.answer = answer
        self.at_once = at_once
        self.answers: dict[int, A | NotAnswered] = {}
        self.rejections: list[InfrastructureError] = []
        self.unforeseen: list[Exception] = []
        self.outages: list[ModelUnavailable] = []
        self._outages_in_a_row = 0

    async def put(self, numbers: Iterable[int]) -> None:
        """Ask these. Raises what `ask_all` raises at once."""
        gate = asyncio.Semaphore(self.at_once)

        async def one(number: int) -> None:
            async with gate:
                await self._put(number)

        try:
            async with asyncio.TaskGroup() as group:
                for number in numbers:
                    group.create_task(one(number))
        except BaseExceptionGroup as faults:
            raise faults.exceptions[0] from faults

    async def _put(self, number: int) -> None:
        try:
            self.answers[number] = await self.answer(self.questions[number])
        except NotAnswered as error:
            self.answers[number] = error
        except ToolError as error:
            self.answers[number] = NotAnswered(str(error))
        except (ModelRefused, BudgetSpent, ConfigurationError):
            raise
        except ModelUnavailable as error:
            self.outages.append(error)
            self._outages_in_a_row += 1
            if self._outages_in_a_row >= self.at_once + MAX_OUTAGES_IN_A_ROW:
                left = len(self.questions) - len(self.answers)
                raise _unavailable(error, left, len(self.questions)) from error
            return
        except InfrastructureError as error:
            self.rejections.append(error)
            self.answers[number] = NotAnswered(str(error))
        except Exception as error:
            log.exception("question %d of %d met a fault of the platform", number + 1, len(self.questions))
            self.unforeseen.append(error)
            self.answers[number] = NotAnswered(
                readable(f"a fault of the platform: {type(error).__name__}: {error}")
            )
        self._outages_in_a_row = 0


def _unavailable(last: ModelUnavailable, left: int, of: int) -> ModelUnavailable:
    return ModelUnavailable(f"{left} of {of} questions had no reply; the last: {last.message}", last.remedy)
