"""Dead letters: what our failures spoiled waits for a person, with the history of every try."""

from __future__ import annotations

import os
from typing import Any

import pytest

from adp_resources.dead_letters import DeadLetter, DeadLetters
from adp_resources.fanout import MAX_FAILURES_IN_A_ROW
from adp_resources.journal import Journal
from runtimes.errors import BudgetSpent, InfrastructureError, ModelUnavailable
from tests.adp_resources.scenes import Scene, many, never, work


@pytest.fixture
def letters(journal: Journal) -> DeadLetters:
    return DeadLetters(journal.database)


def no_server(task: str, attempt: int) -> Any:
    raise ModelUnavailable(f"No server, attempt {attempt}.")


def die(journal: Journal, *names: str, samples: int = 1) -> None:
    Scene(no_server).engine(journal).run("r", "reasoning", work(*names, samples=samples), never)


def only(letters: DeadLetters) -> DeadLetter:
    (letter,) = letters.all()
    return letter


def test_an_episode_that_fails_in_every_try_is_kept_with_each_of_them(
    journal: Journal, letters: DeadLetters
) -> None:
    die(journal, "t")
    letter = only(letters)
    assert (letter.name, letter.state, letter.error_type) == ("r/t/0", "dead", "network_error")
    assert [each.error_message for each in letter.history] == [f"No server, attempt {n}." for n in (1, 2, 3)]
    assert all(f"process {os.getpid()} of " in each.where for each in letter.history)
    assert [each.at for each in letter.history] == sorted(each.at for each in letter.history)
    assert letters.held("r") == {("t", 0)}


def test_one_that_is_well_in_a_later_try_is_none(journal: Journal, letters: DeadLetters) -> None:
    def act(task: str, attempt: int) -> None:
        if attempt < 3:
            raise ModelUnavailable("No server.")

    Scene(act).engine(journal).run("r", "reasoning", work("t"), never)
    assert letters.all() == []


def test_what_is_put_back_is_not_held_and_a_result_clears_it(journal: Journal, letters: DeadLetters) -> None:
    die(journal, "a", "b")
    assert letters.put_back([("r", "a", 0)], "somebody") == 1
    assert letters.in_rounds("retry") == {"r": 1}
    assert letters.held("r") == {("b", 0)}
    Scene().engine(journal).run("r", "reasoning", work("a"), never)
    assert [letter.task_id for letter in letters.all()] == ["b"]


def test_one_that_fails_again_waits_again_with_the_tries_of_both_times(
    journal: Journal, letters: DeadLetters
) -> None:
    die(journal, "t")
    letters.put_back([only(letters).key], "somebody")
    die(journal, "t")
    letter = only(letters)
    assert (letter.state, len(letter.history), letter.decided_by) == ("dead", 6, None)


def test_what_is_discarded_says_by_whom_when_and_why_and_stays_so(
    journal: Journal, letters: DeadLetters
) -> None:
    die(journal, "t")
    key = only(letters).key
    assert letters.discard([key], "somebody", "its site is gone") == 1
    letter = only(letters)
    assert (letter.state, letter.decided_by, letter.reason) == ("discarded", "somebody", "its site is gone")
    assert letter.decided_at is not None
    assert letter.decided_at >= letter.died_at
    assert letters.put_back([key], "another") == letters.discard([key], "another", "why not") == 0
    assert only(letters) == letter
    assert letters.held("r") == {("t", 0)}


def test_one_given_up_by_a_budget_and_then_discarded_keeps_no_round_open(
    journal: Journal, letters: DeadLetters
) -> None:
    die(journal, "t")
    letters.put_back([only(letters).key], "somebody")

    def spent(task: str, attempt: int) -> None:
        raise BudgetSpent("Round r stops: 5 of 5 tokens are spent.")

    Scene(spent).engine(journal).run("r", "reasoning", work("t"), never)
    assert journal.why_stopped("r")
    letters.discard([only(letters).key], "somebody", "its site is gone")
    assert journal.why_stopped("r") == ""


def test_a_round_that_wants_no_more_lets_what_was_put_back_wait_again(
    journal: Journal, letters: DeadLetters
) -> None:
    die(journal, "a", "b")
    letters.put_back([("r", "a", 0)], "somebody")
    letters.discard([("r", "b", 0)], "somebody", "enough")
    letters.keep_from("r")
    assert {each.task_id: each.state for each in letters.all()} == {"a": "dead", "b": "discarded"}


def test_each_sample_is_a_letter_of_its_own(journal: Journal, letters: DeadLetters) -> None:
    die(journal, "t", samples=3)
    letters.discard([("r", "t", 1)], "somebody", "enough")
    assert {(each.sample, each.state) for each in letters.all()} == {
        (0, "dead"),
        (1, "discarded"),
        (2, "dead"),
    }
    assert [each.sample for each in letters.all(["discarded"])] == [1]


@pytest.mark.parametrize("episodes", [1, 60])
def test_failures_that_stopped_the_round_are_work_of_the_round_as_before(
    journal: Journal, letters: DeadLetters, episodes: int
) -> None:
    with pytest.raises(InfrastructureError):
        Scene(no_server).engine(journal, episodes).run("r", "reasoning", many(60), never)
    assert {letter.state for letter in letters.all()} == {"retry"}
    assert MAX_FAILURES_IN_A_ROW <= len(letters.all()) < MAX_FAILURES_IN_A_ROW + episodes
    assert letters.held("r") == set()


def test_a_failure_of_what_has_its_result_is_no_dead_letter(journal: Journal, letters: DeadLetters) -> None:
    Scene().engine(journal).run("r", "reasoning", work("t"), never)
    die(journal, "t")
    assert letters.all() == []
