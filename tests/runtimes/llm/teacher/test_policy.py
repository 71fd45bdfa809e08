"""The teacher as a model: it refuses the unknown, repeats itself, slips at its rate, gives up honestly."""

from __future__ import annotations

from typing import Any

import pytest

from runtimes.errors import ConfigurationError
from runtimes.llm.base import Sampling
from runtimes.llm.teacher import Teacher
from runtimes.llm.teacher.families.base import Slip
from runtimes.llm.teacher.policy import chance_of_slip, slip_of

from .episodes import CODE_TOOLS, PAGE_TOOLS, call_of, next_message, opening, play, run_python, schemas

MULTIPLES = (
    "Write a Python function tally_hits(n) returning the sum of all positive integers less than n "
    "divisible by 3 or 5."
)
ORDERS = "Go through all pages of the shop's order list and tell me the number of orders shipped to Rome."
HOME = """URL: http://shop.test/
Title: The Shop

- generic [ref=e1]:
  - link "Home" [ref=e4] [cursor=pointer]:
    - /url: /
  - link "Orders" [ref=e5] [cursor=pointer]:
    - /url: /orders"""
ONE_PAGE = """URL: http://shop.test/orders
Title: Orders

- generic [ref=f1e1]:
  - link "Home" [ref=f1e4]
  - heading "Orders" [level=1] [ref=f1e6]
  - table [ref=f1e7]:
    - row [ref=f1e8]:
      - columnheader "Order" [ref=f1e9]
    - row [ref=f1e10]:
      - cell "SO-1" [ref=f1e11]
      - cell "Mei Wang" [ref=f1e12]
      - cell "Rome" [ref=f1e13]
      - cell "Pending" [ref=f1e14]
      - cell "$12.50" [ref=f1e15]
      - cell "2024-01-03" [ref=f1e16]"""


def test_unknown_wording_is_refused_in_plain_text() -> None:
    message = next_message(opening("Prove the Riemann hypothesis."), CODE_TOOLS)
    assert message["content"].startswith("I do not know how to do this task: ")
    assert "tool_calls" not in message


def test_a_task_whose_tool_is_not_given_is_refused_by_the_tools_name() -> None:
    message = next_message(opening(MULTIPLES), ["shell_executor", "complete_task"])
    assert message["content"].startswith("I do not know how to do this task: ")
    assert "python_executor" in message["content"]


def test_without_complete_task_the_answer_is_plain_text() -> None:
    messages = play(opening(MULTIPLES), ["python_executor"], run_python)
    assert messages[-1]["content"].startswith("def tally_hits(n):")
    assert "tool_calls" not in messages[-1]


def test_the_same_messages_give_the_same_reply_from_any_teacher_at_any_time() -> None:
    first = play(opening(MULTIPLES), CODE_TOOLS, run_python, seed=3, error_rate=0.5)
    play(opening(ORDERS, HOME), PAGE_TOOLS, lambda tool, arguments: ONE_PAGE)
    assert first == play(opening(MULTIPLES), CODE_TOOLS, run_python, seed=3, error_rate=0.5)
    assert [m["tool_calls"][0]["id"] for m in first if m["role"] == "assistant"] == ["call_1", "call_2"]


def test_episodes_with_different_seeds_differ_in_how_they_go() -> None:
    programs = {call_of(next_message(opening(MULTIPLES), CODE_TOOLS, seed=s))[1]["code"] for s in range(9)}
    assert len(programs) > 1


async def test_a_reply_counts_its_tokens_and_says_why_it_ended() -> None:
    teacher = Teacher(error_rate=0)
    reply = await teacher.complete(opening(MULTIPLES), tools=schemas(CODE_TOOLS), sampling=Sampling(seed=1))
    assert reply.finish_reason == "tool_calls"
    assert reply.prompt_tokens > len(MULTIPLES) // 4
    assert reply.completion_tokens > 0
    assert (teacher.provider, teacher.model) == ("builtin", "builtin-teacher-1")
    await teacher.aclose()


def test_an_error_rate_that_is_no_probability_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="error_rate 2"):
        Teacher(error_rate=2)


def test_slips_come_at_the_error_rate_and_half_of_them_can_be_mended() -> None:
    slips = [slip_of(f"task {n}", seed, 0.15) for n in range(400) for seed in range(5)]
    recoverable, fatal = slips.count(Slip.RECOVERABLE), slips.count(Slip.FATAL)
    assert 0.12 < (recoverable + fatal) / len(slips) < 0.18
    assert 0.8 < recoverable / fatal < 1.25


def test_the_harder_a_task_is_the_likelier_is_a_slip_and_the_simplest_slip_at_the_rate() -> None:
    chances = [chance_of_slip(0.15, level) for level in range(1, 9)]
    assert chances[0] == pytest.approx(0.15)
    assert chances == sorted(chances)
    assert chances[-1] < 0.75
    assert (chance_of_slip(0.0, 5), chance_of_slip(1.0, 1)) == (0, 1)


def test_the_level_of_a_task_is_what_its_description_says() -> None:
    harder = MULTIPLES.replace("3 or 5", "3, 5, 7 or 11")
    assert harder != MULTIPLES

    def slipping(description: str) -> int:
        """In how many of a hundred episodes the first program is not the one of an episode without a slip."""
        return sum(
            next_message(opening(description), CODE_TOOLS, seed=seed, error_rate=0.3)
            != next_message(opening(description), CODE_TOOLS, seed=seed)
            for seed in range(100)
        )

    assert slipping(MULTIPLES) < slipping(harder)


def test_the_page_the_episode_starts_on_is_used_and_the_orders_on_it_counted() -> None:
    messages = play(opening(ORDERS, HOME), PAGE_TOOLS, lambda tool, arguments: ONE_PAGE)
    calls = [call_of(m) for m in messages if m["role"] == "assistant"]
    assert calls == [("click", {"ref": "e5"}), ("complete_task", {"answer": "1"})]


def test_without_a_page_the_start_address_of_the_constraints_is_opened_first() -> None:
    user = f'{ORDERS}\n\nConstraints (JSON): {{"start_url": "http://shop.test/orders"}}'
    messages: list[dict[str, Any]] = [{"role": "user", "content": user}]
    assert call_of(next_message(messages, PAGE_TOOLS)) == ("goto", {"url": "http://shop.test/orders"})


def test_a_stale_ref_is_looked_up_again_once() -> None:
    seen = iter(
        ["error (browser_error): There is no element e5 any more.", HOME.replace("e5", "e77"), ONE_PAGE]
    )
    messages = play(opening(ORDERS, HOME), PAGE_TOOLS, lambda tool, arguments: next(seen))
    calls = [call_of(m) for m in messages if m["role"] == "assistant"]
    assert [name for name, _ in calls] == ["click", "scroll", "click", "complete_task"]
    assert calls[2][1] == {"ref": "e77"}
    assert calls[3][1] == {"answer": "1"}


@pytest.mark.parametrize(
    ("description", "page", "tools"),
    [(MULTIPLES, "", CODE_TOOLS), (ORDERS, HOME, PAGE_TOOLS), (ORDERS, "", PAGE_TOOLS)],
)
def test_when_everything_fails_it_gives_up_and_says_what_it_could_not_do(
    description: str, page: str, tools: tuple[str, ...]
) -> None:
    error = "error (runtime_error): status: killed\nstderr:\nthe sandbox is gone"
    messages = play(opening(description, page), tools, lambda tool, arguments: error)
    name, arguments = call_of(messages[-1])
    assert name == "complete_task"
    assert arguments["answer"].startswith("I could not ")
    assert sum(message["role"] == "tool" for message in messages) <= 3
