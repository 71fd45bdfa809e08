"""Rounds: what one takes from the pool, once and for all, and what may follow it."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from adp_assets.intake.pool import TaskPool
from adp_assets.rounds import NothingPending, Plan, Round, Rounds, may_follow, next_name
from adp_resources.acceptance import Acceptance
from adp_resources.database import Database
from adp_resources.journal import Journal
from runtimes.contracts import Lineage
from runtimes.errors import ConfigurationError
from tests.adp_assets.tasks import add, solved, task


@pytest.fixture
def rounds(database: Database) -> Rounds:
    return Rounds(database)


def ids(rounds: Rounds, name: str) -> list[str]:
    return [each.task_id for each in rounds.tasks(name)]


def test_a_round_takes_the_most_urgent_tasks_first_and_then_the_oldest(
    pool: TaskPool, rounds: Rounds
) -> None:
    add(pool, task("old-low"), task("old-high", priority=9))
    add(pool, task("new-high", priority=9), task("new-highest", priority=10))
    rounds.plan("r1", Plan(size=3))
    rounds.plan("r2", Plan(size=3))
    assert ids(rounds, "r1") == ["new-highest", "old-high", "new-high"]
    assert ids(rounds, "r2") == ["old-low"]


def test_planning_a_round_again_changes_nothing(pool: TaskPool, rounds: Rounds) -> None:
    add(pool, task("a"))
    first = rounds.plan("r1", Plan(samples=4))
    add(pool, task("b", priority=10))
    assert rounds.plan("r1", Plan(samples=1, again=True)) == first
    assert ids(rounds, "r1") == ["a"]
    assert pool.pending() == 1


def test_the_tasks_of_a_round_are_those_of_the_pool_with_their_verifiers(
    pool: TaskPool, rounds: Rounds
) -> None:
    add(pool, task("a"), task("w", task_type="web"))
    rounds.plan("r1", Plan())
    assert rounds.tasks("r1") == [task("a"), task("w", task_type="web")]
    assert rounds.task_counts("r1") == {"code": 1, "web": 1}


def test_a_round_can_be_kept_to_types_and_files(pool: TaskPool, rounds: Rounds) -> None:
    add(
        pool,
        task("a", lineage=Lineage(root_id="a", source="/one")),
        task("b", lineage=Lineage(root_id="b", source="/two")),
        task("c", task_type="web", lineage=Lineage(root_id="c", source="/two")),
    )
    rounds.plan("r1", Plan(types=("web", "audio")))
    rounds.plan("r2", Plan(sources=("/two",)))
    assert (ids(rounds, "r1"), ids(rounds, "r2")) == (["c"], ["b"])
    assert pool.pending() == 1


def test_known_tasks_run_anew_only_when_asked_for(pool: TaskPool, rounds: Rounds) -> None:
    add(pool, task("a"))
    rounds.plan("r1", Plan())
    with pytest.raises(NothingPending, match="r2 has nothing to do") as failed:
        rounds.plan("r2", Plan())
    assert "--again" in failed.value.remedy
    assert rounds.get("r2") is None, "the name can be planned later"
    rounds.plan("r2", Plan(again=True))
    assert ids(rounds, "r2") == ["a"]


def test_the_rounds_of_a_chain_share_its_first_rounds_name_and_target(pool: TaskPool, rounds: Rounds) -> None:
    add(pool, *(task(f"t{n}") for n in range(4)))
    first = rounds.plan("r1", Plan(size=1, accept=7))
    second = rounds.plan("r2", Plan(size=1, follows="r1", accept=99))
    other = rounds.plan("other", Plan(size=1))
    assert (first.chain, first.accept) == (second.chain, second.accept) == ("r1", 7)
    assert (other.chain, other.accept) == ("other", None)
    assert [link.name for link in rounds.chain("r2")] == ["r2", "r1"]
    assert [link.name for link in rounds.chain("r1")] == ["r1"]
    rounds.aim("r2", 9)
    assert [each.accept for each in rounds.all()] == [9, 9, None]


def test_tasks_that_nobody_began_wait_in_the_pool_again(
    pool: TaskPool, rounds: Rounds, tmp_path: Path
) -> None:
    add(pool, task("begun"), task("left"), task("web", task_type="web"))
    rounds.plan("r1", Plan())
    Journal(pool.database, tmp_path).write(solved("begun", round="r1"))
    assert rounds.give_back("r1", "code") == 1
    assert rounds.give_back("r1", "code") == 1, "as often as one likes"
    rounds.plan("r2", Plan())
    assert ids(rounds, "r2") == ["left"]
    assert ids(rounds, "r1") == ["begun", "left", "web"], "what the round chose stays as it was"


def test_two_planners_at_once_never_take_the_same_task(pool: TaskPool, rounds: Rounds) -> None:
    add(pool, *(task(f"t{n:03}") for n in range(400)))
    start = threading.Barrier(4)
    faults: list[BaseException] = []

    def plan(number: int) -> None:
        start.wait()
        try:
            for turn in range(5):
                Rounds(Database(pool.database.url)).plan(f"r{number}-{turn}", Plan(size=20))
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=plan, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    taken = [task_id for planned in rounds.all() for task_id in ids(rounds, planned.name)]
    assert sorted(taken) == [f"t{n:03}" for n in range(400)]


def test_two_planners_of_the_same_round_get_the_same_round(pool: TaskPool, rounds: Rounds) -> None:
    add(pool, *(task(f"t{n}") for n in range(10)))
    planned: list[Round] = []
    threads = [
        threading.Thread(target=lambda: planned.append(rounds.plan("r1", Plan(size=5)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(planned) == 4
    assert len(set(planned)) == 1
    assert pool.pending() == 5


def test_rounds_that_follow_one_another_are_a_chain_with_one_limit(pool: TaskPool, rounds: Rounds) -> None:
    for number in (1, 2, 3):
        add(pool, task(f"t{number}"))
        follows = f"r{number - 1}" if number > 1 else None
        rounds.plan(f"r{number}", Plan(follows=follows, max_rounds=5 if number == 1 else 99))
    assert [link.name for link in rounds.chain("r3")] == ["r3", "r2", "r1"]
    assert [(link.number, link.max_rounds) for link in rounds.chain("r3")] == [(3, 5), (2, 5), (1, 5)]
    assert (rounds.follower("r1"), rounds.follower("r3")) == ("r2", None)
    assert rounds.chain("unknown") == []


def test_a_chain_can_be_made_longer_and_never_shorter(pool: TaskPool, rounds: Rounds) -> None:
    add(pool, *(task(f"t{n}") for n in range(3)))
    rounds.plan("r1", Plan(size=1, max_rounds=1))
    rounds.plan("other", Plan(size=1, max_rounds=1))
    rounds.extend("r1", 3)
    rounds.extend("r1", 2)
    assert rounds.plan("r2", Plan(size=1, follows="r1")).max_rounds == 3
    assert [(link.name, link.max_rounds) for link in rounds.all()] == [("r1", 3), ("other", 1), ("r2", 3)]


def test_a_round_is_followed_by_one_only(pool: TaskPool, rounds: Rounds) -> None:
    add(pool, *(task(f"t{n}") for n in range(3)))
    rounds.plan("r1", Plan(size=1))
    rounds.plan("r2", Plan(size=1, follows="r1"))
    with pytest.raises(ConfigurationError, match="r3 cannot follow r1: r2 does already"):
        rounds.plan("r3", Plan(size=1, follows="r1"))
    assert (rounds.get("r3"), pool.pending()) == (None, 1)


@pytest.mark.parametrize("name", ["../x", "a/b", "..", " x", "x" * 201])
def test_a_name_that_cannot_name_a_file_is_refused(pool: TaskPool, rounds: Rounds, name: str) -> None:
    add(pool, task("a"))
    with pytest.raises(ConfigurationError, match="cannot name a file"):
        rounds.plan(name, Plan())
    assert pool.pending() == 1


def test_names_are_numbered_after_the_highest_that_is_known() -> None:
    assert next_name([]) == "round-0001"
    assert (
        next_name(["round-0002", "daily-2030-01-01", "round-x", "round-0010-b", "release-0099"])
        == "round-0003"
    )
    assert next_name(["round-9999"]) == "round-10000"
    assert next_name(["release-0001"], prefix="release") == "release-0002"


def test_what_may_follow_is_bounded_by_rounds_spend_and_work() -> None:
    before = Round("r1", None, 1, 1, 2, "sensor", 0.0)

    def reason(
        planned: Round = before, pending: int = 1, spent: float = 0.0, most: float | None = None
    ) -> str | None:
        return may_follow(planned, pending=pending, spent_usd=spent, max_spend_usd=most)

    assert reason() is None
    assert reason(spent=100.0) is None
    assert reason(spent=0.99, most=1.0) is None
    assert "MAX_ROUND_COST_USD" in str(reason(spent=1.0, most=1.0))
    assert "MAX_ROUNDS" in str(reason(replace(before, number=2)))
    assert "no task waits" in str(reason(pending=0))
    spent = may_follow(before, pending=1, spent_usd=None, max_spend_usd=None, tokens=100, max_tokens=100)
    assert "ROUND_TOKEN_LIMIT" in str(spent)
    for missing in (1, 0):
        state = Acceptance(target=5, accepted=5 - missing, surplus=0, finished=5)
        why = may_follow(before, pending=1, spent_usd=0.0, max_spend_usd=None, acceptance=state)
        assert why == (None if missing else "the 5 solved trajectories asked for are there")


def test_a_limit_on_spend_that_cannot_be_kept_lets_no_round_follow() -> None:
    before = Round("round-0001", None, 1, 1, 3, "person", 0.0)
    unknown = may_follow(before, pending=1, spent_usd=None, max_spend_usd=5)
    assert "unknown" in str(unknown)
    assert may_follow(before, pending=1, spent_usd=None, max_spend_usd=None) is None
