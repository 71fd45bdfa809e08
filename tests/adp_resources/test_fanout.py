"""The fan-out engine: many episodes at a time, each journaled at once, stopped when going on is no use."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from adp_resources.cancellation import RoundCancelled
from adp_resources.fanout import MAX_FAILURES_IN_A_ROW
from adp_resources.journal import Journal
from adp_resources.resources import resources
from runtimes.errors import (
    BudgetSpent,
    ConfigurationError,
    InfrastructureError,
    ModelRefused,
    ModelUnavailable,
)
from runtimes.llm.base import Sampling
from tests.adp_resources.scenes import Scene, many, never, work


def outcomes(journal: Journal) -> dict[str, str]:
    return {trajectory.task_id: trajectory.outcome for trajectory in journal.read_round("r")}


def attempts(journal: Journal) -> dict[str, int]:
    from adp_resources.tables import journal as table

    with journal.database.read() as connection:
        rows = connection.execute(table.select()).all()
    return {row.task_id: row.attempts for row in rows}


def test_every_sample_is_run_graded_and_journaled(journal: Journal) -> None:
    scene = Scene()
    scene.engine(journal).run("r", "reasoning", work("a", "b", samples=2), never)
    assert journal.finished("r", "reasoning") == {("a", 0), ("a", 1), ("b", 0), ("b", 1)}
    assert {t.outcome for t in journal.read_round("r")} == {"solved"}
    assert len({t.sampling["seed"] for t in journal.read_round("r")}) == 4
    assert scene.closed


def test_no_work_opens_nothing(journal: Journal) -> None:
    scene = Scene()
    scene.engine(journal).run("r", "reasoning", [], never)
    assert not scene.closed


def test_as_many_episodes_as_allowed_are_in_flight_and_no_more(journal: Journal) -> None:
    meeting = asyncio.Barrier(3)
    scene = Scene(lambda task, attempt: meeting.wait())
    scene.engine(journal, episodes=3).run("r", "reasoning", many(9), never)
    assert scene.most_in_flight == 3
    assert set(outcomes(journal).values()) == {"solved"}


def test_each_result_is_journaled_while_others_still_run(journal: Journal) -> None:
    async def wait_for_the_first() -> None:
        while "first" not in outcomes(journal):  # noqa: ASYNC110 - a table wakes nobody
            await asyncio.sleep(0.01)

    scene = Scene(lambda task, attempt: wait_for_the_first() if task == "last" else None)
    scene.engine(journal).run("r", "reasoning", work("last", "first"), never)
    assert outcomes(journal) == {"first": "solved", "last": "solved"}


def test_our_failures_are_tried_again_and_then_recorded(journal: Journal) -> None:
    def act(task: str, attempt: int) -> None:
        if task == "down" or (task == "shaky" and attempt < 3):
            raise ModelUnavailable("No server.")

    scene = Scene(act)
    scene.engine(journal).run("r", "reasoning", work("good", "shaky", "down"), never)
    assert outcomes(journal) == {"good": "solved", "shaky": "solved", "down": "infrastructure_error"}
    assert attempts(journal) == {"good": 1, "shaky": 3, "down": 3}
    told = {trajectory.task_id: trajectory.error_message for trajectory in journal.read_round("r")}
    assert told == {"good": None, "shaky": None, "down": "No server. The last of 3 tries."}
    assert journal.finished("r", "reasoning") == {("good", 0), ("shaky", 0)}


def test_the_tries_of_an_episode_outlast_a_breaker_that_cut_its_provider_off(tmp_path: Path) -> None:
    retry = resources(project_root=str(tmp_path))["fanout"].create().retry
    assert sum(retry.wait(attempt, None) for attempt in range(retry.tries - 1)) >= 30


def test_ten_failures_in_a_row_stop_the_round_with_the_cause(journal: Journal) -> None:
    def act(task: str, attempt: int) -> None:
        if task >= "t-03":
            raise ModelUnavailable("No server at 127.0.0.1.")

    scene = Scene(act)
    with pytest.raises(InfrastructureError) as stopped:
        scene.engine(journal, episodes=1).run("r", "reasoning", many(40), never)
    assert "10 infrastructure failures in a row" in stopped.value.message
    assert "t-12" in stopped.value.message
    assert "No server at 127.0.0.1." in stopped.value.message
    assert "run again" in stopped.value.remedy
    assert Counter(outcomes(journal).values()) == {
        "solved": 3,
        "infrastructure_error": MAX_FAILURES_IN_A_ROW,
    }
    assert scene.closed


def test_failures_with_successes_between_them_do_not_stop_the_round(journal: Journal) -> None:
    def act(task: str, attempt: int) -> None:
        if int(task[2:]) % 5:
            raise ModelUnavailable("No server.")

    Scene(act).engine(journal, episodes=1).run("r", "reasoning", many(30), never)
    assert Counter(outcomes(journal).values()) == {"solved": 6, "infrastructure_error": 24}


def test_a_refused_key_stops_at_once_and_what_was_done_stays(journal: Journal) -> None:
    def act(task: str, attempt: int) -> None:
        if task >= "t-02":
            raise ModelRefused("gemini refused the key (HTTP 401).", "Check the API key.")

    scene = Scene(act)
    with pytest.raises(ModelRefused, match="Check the API key"):
        scene.engine(journal, episodes=1).run("r", "reasoning", many(40), never)
    assert outcomes(journal) == {"t-00": "solved", "t-01": "solved"}
    assert sum(scene.tries.values()) == 3, "no try after the refusal"


def test_a_journal_that_cannot_be_written_stops_the_round(journal: Journal) -> None:
    journal.trajectories.write_text("a file in place of the folder")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        Scene().engine(journal).run("r", "reasoning", many(3), never)


def test_a_spent_budget_lets_nothing_begin_and_gives_up_what_asks_for_more(journal: Journal) -> None:
    def act(task: str, attempt: int) -> None:
        if task >= "t-05":
            raise BudgetSpent("Round r stops: 5 of 5 tokens are spent.", "Raise the limit.")

    scene = Scene(act)
    why = scene.engine(journal, episodes=3).run("r", "reasoning", many(40), never)
    assert why == "Round r stops: 5 of 5 tokens are spent. Raise the limit."
    assert scene.closed
    ended = Counter(outcomes(journal).values())
    assert ended["solved"] == 5
    assert 1 <= ended["cancelled"] <= 3
    assert ended.total() == len(scene.tries) < 40
    assert journal.why_stopped("r") == why
    assert len(journal.finished("r", "reasoning")) == 5
    left = [each for each in many(40) if (each[0].task_id, 0) not in journal.finished("r", "reasoning")]

    assert Scene().engine(journal).run("r", "reasoning", left, never) == ""

    assert set(outcomes(journal).values()) == {"solved"}
    assert journal.why_stopped("r") == ""


def test_a_users_spent_budget_ends_that_users_tasks_and_no_others(journal: Journal) -> None:
    owner = {f"t-{n:02}": "bob" if n % 2 else "ada" for n in range(40)}

    def act(task: str, attempt: int) -> None:
        if owner[task] == "ada":
            raise BudgetSpent("User ada stops: 5 of 5 tokens are spent.", user="ada")

    owned = [
        (msgspec.structs.replace(task, metadata={"user_id": owner[task.task_id]}), sample)
        for task, sample in many(40)
    ]
    why = Scene(act).engine(journal, episodes=3).run("r", "reasoning", owned, never)
    assert why == "User ada stops: 5 of 5 tokens are spent."
    assert {task for task, _ in journal.finished("r", "reasoning")} == {t for t in owner if owner[t] == "bob"}
    assert 1 <= Counter(outcomes(journal).values())["cancelled"] <= 3, "the rest was not begun"
    assert journal.why_stopped("r") == why


def hanging_after(count: int) -> tuple[Scene, threading.Event]:
    """The first `count` tasks are solved, the others hang; the event tells when one does."""
    hangs = threading.Event()

    async def hang() -> None:
        hangs.set()
        await asyncio.Event().wait()

    return Scene(lambda task, attempt: hang() if int(task[2:]) >= count else None), hangs


def test_a_cancellation_ends_hanging_episodes_and_keeps_the_finished(journal: Journal) -> None:
    scene, hangs = hanging_after(3)
    with pytest.raises(RoundCancelled):
        scene.engine(journal).run("r", "reasoning", many(10), hangs.is_set)
    assert outcomes(journal) == {f"t-{number:02}": "solved" for number in range(3)}
    assert scene.in_flight == 0
    assert scene.closed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_round_and_the_former_handlers_are_back(journal: Journal, number: int) -> None:
    scene, hangs = hanging_after(1)
    before = signal.getsignal(number)

    def interrupt() -> None:
        hangs.wait()
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(RoundCancelled):
        scene.engine(journal).run("r", "reasoning", many(5), never)
    thread.join()
    assert outcomes(journal) == {"t-00": "solved"}
    assert signal.getsignal(number) is before


def test_a_cancellation_that_cannot_be_asked_for_is_told(journal: Journal) -> None:
    def broken() -> bool:
        raise ConfigurationError("The instance is gone.")

    scene, _ = hanging_after(0)
    with pytest.raises(ConfigurationError, match="The instance is gone"):
        scene.engine(journal).run("r", "reasoning", many(2), broken)


def test_a_round_runs_outside_the_main_thread_too(journal: Journal) -> None:
    engine = Scene().engine(journal)
    thread = threading.Thread(target=engine.run, args=("r", "reasoning", many(2), never))
    thread.start()
    thread.join()
    assert set(outcomes(journal).values()) == {"solved"}


def test_what_the_model_is_asked_with_differs_by_sample_only(journal: Journal) -> None:
    seeds: dict[str, list[int | None]] = {"first": [], "second": []}
    for name in seeds:
        scene = Scene()
        scene.engine(journal).run("r", "reasoning", work("a", samples=3), never)
        seeds[name] = [Sampling(**t.sampling).seed for t in journal.read_round("r")]
    assert seeds["first"] == seeds["second"]
    assert len(set(seeds["first"])) == 3
