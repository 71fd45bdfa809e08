"""Many questions at a time: what is an answer, what an outage, and what ends it all."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from adp_assets.llm import MAX_OUTAGES_IN_A_ROW, ask_all
from runtimes.errors import (
    BudgetSpent,
    ConfigurationError,
    InfrastructureError,
    ModelRefused,
    ModelUnavailable,
    ToolError,
)
from runtimes.llm.structured import NotAnswered

DOWN = ModelUnavailable("The server is down.", "Start it.")


class Model:
    """Answers a number by its square, and others as `faults` say, try by try."""

    def __init__(self, faults: dict[int, list[Exception]]) -> None:
        self.faults = {number: list(faults) for number, faults in faults.items()}
        self.asked: Counter[int] = Counter()

    async def answer(self, question: int) -> int:
        self.asked[question] += 1
        await asyncio.sleep(0)
        if left := self.faults.get(question):
            raise left.pop(0)
        return question**2


async def test_a_question_that_met_an_outage_is_put_once_more_after_the_others() -> None:
    model = Model({1: [DOWN]})
    assert await ask_all(range(4), model.answer, at_once=2) == [0, 1, 4, 9]
    assert model.asked == {0: 1, 1: 2, 2: 1, 3: 1}


async def test_an_outage_is_no_answer_and_is_raised_when_all_others_have_theirs() -> None:
    model = Model({1: [DOWN, DOWN]})
    with pytest.raises(
        ModelUnavailable, match=r"1 of 4 questions had no reply; .*down\. Start it\."
    ) as fault:
        await ask_all(range(4), model.answer, at_once=2)
    assert fault.value.remedy == "Start it."
    assert model.asked == {0: 1, 1: 2, 2: 1, 3: 1}
    assert await ask_all(range(4), model.answer, at_once=2) == [0, 1, 4, 9], "asked for again, all is there"


async def test_a_model_that_is_down_is_not_asked_all_questions() -> None:
    model = Model({number: [DOWN] * 2 for number in range(500)})
    with pytest.raises(ModelUnavailable, match="500 of 500"):
        await ask_all(range(500), model.answer, at_once=4)
    assert model.asked.total() <= MAX_OUTAGES_IN_A_ROW + 2 * 4


async def test_what_is_the_questions_own_fault_is_its_answer() -> None:
    rejected = InfrastructureError("system_error", "HTTP 400")
    model = Model({0: [NotAnswered("no JSON")], 1: [ToolError("runtime_error", "too long")], 2: [rejected]})
    *refused, answer = await ask_all(range(4), model.answer, at_once=1)
    assert [str(each) for each in refused] == ["no JSON", "too long", "HTTP 400"]
    assert answer == 9


async def test_a_server_that_rejects_every_question_is_at_fault_itself() -> None:
    model = Model({n: [InfrastructureError("system_error", "HTTP 400")] for n in range(2)})
    with pytest.raises(InfrastructureError, match="HTTP 400"):
        await ask_all(range(2), model.answer, at_once=2)


async def test_a_fault_that_nobody_foresaw_costs_its_own_question_only_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = Model({1: [RecursionError("too deep")]})
    first, lost, *others = await ask_all(range(4), model.answer, at_once=2)
    assert (first, others) == (0, [4, 9])
    assert str(lost) == "a fault of the platform: RecursionError: too deep"
    assert "question 2 of 4" in caplog.text
    assert "Traceback" in caplog.text
    alone = Model({0: [RecursionError("too deep")]})
    assert isinstance((await ask_all(range(1), alone.answer, at_once=2))[0], NotAnswered)


async def test_whoever_stops_the_asking_is_heard() -> None:
    begun = asyncio.Event()

    async def never(question: int) -> int:
        begun.set()
        await asyncio.Event().wait()
        return question

    asking = asyncio.create_task(ask_all(range(3), never, at_once=2))
    await begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_fault_that_nobody_foresaw_in_every_question_is_raised() -> None:
    model = Model({number: [OSError("no space left")] for number in range(3)})
    with pytest.raises(OSError, match="no space left"):
        await ask_all(range(3), model.answer, at_once=2)


@pytest.mark.parametrize(
    "fault",
    [ModelRefused("HTTP 401"), BudgetSpent("10 of 10 tokens are spent."), ConfigurationError("No cache.")],
)
async def test_a_refused_key_or_a_spent_budget_ends_it_at_once(fault: Exception) -> None:
    model = Model({3: [fault]})
    with pytest.raises(type(fault), match=str(fault)):
        await ask_all(range(100), model.answer, at_once=4)
    asked = model.asked.total()
    assert asked < 12
    await asyncio.sleep(0.01)
    assert model.asked.total() == asked, "and nothing goes on behind it"
