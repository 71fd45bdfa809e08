"""Targets: exactly so many solved trajectories are accepted, whoever runs the episodes and however often."""

from __future__ import annotations

import asyncio
import threading

import pytest

from adp_resources.acceptance import Acceptance
from adp_resources.database import Database, upsert
from adp_resources.fanout import Work
from adp_resources.journal import Journal
from adp_resources.tables import rounds
from runtimes.contracts import Trajectory, trajectory_from_json
from tests.adp_resources.scenes import Scene, many, never, work


def plan(database: Database, accept: int | None, *names: str) -> None:
    """Rounds that follow one another, to have so many solved trajectories together."""
    with database.begin() as connection:
        for number, name in enumerate(names, 1):
            row = {
                "round": name,
                "follows": names[number - 2] if number > 1 else None,
                "number": number,
                "samples": 1,
                "max_rounds": 3,
                "driver": "command",
                "planned_at": 0.0,
                "accept": accept,
                "chain": names[0],
            }
            upsert(connection, rounds, [row])


def marked(journal: Journal, round: str = "r") -> dict[bool, set[str]]:
    """The solved tasks by whether they are surplus."""
    solved = [t for t in journal.read_round(round) if t.outcome == "solved"]
    return {surplus: {t.task_id for t in solved if t.surplus is surplus} for surplus in (False, True)}


def solved_by_no_more_than(limit: int, count: int) -> list[Work]:
    """So many tasks, of which the verifier finds only the first `limit` solved."""
    return work(*(f"t-{n:02}" for n in range(limit))) + work(
        *(f"t-{n:02}" for n in range(limit, count)), expected=43
    )


def test_exactly_as_many_are_accepted_and_no_more_is_begun(journal: Journal) -> None:
    plan(journal.database, 7, "r")
    scene = Scene()
    assert scene.engine(journal, episodes=4).run("r", "reasoning", many(40), never) == ""
    state = journal.acceptance("r")
    assert state is not None
    assert (state.accepted, state.missing) == (7, 0)
    assert (len(scene.tries), state.surplus) == (7, 0), "as each was solved"


def test_what_was_in_flight_is_kept_and_marked_in_its_file_too(journal: Journal) -> None:
    plan(journal.database, 2, "r")
    meeting = asyncio.Barrier(4)
    first = work("bad", expected=43)  # after which it should take four to have two
    scene = Scene(lambda task, attempt: None if task == "bad" else meeting.wait())
    scene.engine(journal).run("r", "reasoning", first + many(4), never)
    found = marked(journal)
    assert (len(found[False]), len(found[True])) == (2, 2)
    for surplus, tasks in found.items():
        for task_id in tasks:
            file = journal.trajectories / f"{task_id}.json"
            assert trajectory_from_json(file.read_bytes()).surplus is surplus


def test_what_was_not_solved_does_not_count(journal: Journal) -> None:
    plan(journal.database, 5, "r")
    Scene().engine(journal, episodes=1).run("r", "reasoning", solved_by_no_more_than(3, 9), never)
    assert journal.acceptance("r") == Acceptance(target=5, accepted=3, surplus=0, finished=9)
    assert len(list(journal.read_round("r"))) == 9, "all were tried, and still some are missing"


def test_no_more_are_in_flight_than_it_should_take(journal: Journal) -> None:
    plan(journal.database, 3, "r")
    scene = Scene(lambda task, attempt: asyncio.sleep(0.01))
    scene.engine(journal, episodes=50).run("r", "reasoning", many(50), never)
    assert scene.most_in_flight == len(scene.tries) == 3, "as each was solved"
    plan(journal.database, 1, "hard")
    hard = Scene(lambda task, attempt: asyncio.sleep(0.01))
    hard.engine(journal, episodes=50).run("hard", "reasoning", solved_by_no_more_than(0, 50), never)
    assert hard.most_in_flight > 10, "as none was solved"


def test_a_reached_target_opens_nothing_and_running_again_changes_nothing(journal: Journal) -> None:
    plan(journal.database, 3, "r")
    Scene().engine(journal).run("r", "reasoning", many(10), never)
    before = list(journal.read_round("r"))
    again = Scene()
    again.engine(journal).run("r", "reasoning", many(10), never)
    assert not again.closed
    assert list(journal.read_round("r")) == before


def test_rounds_of_one_chain_are_counted_together(journal: Journal) -> None:
    plan(journal.database, 5, "r1", "r2")
    Scene().engine(journal).run("r1", "reasoning", many(3), never)
    Scene().engine(journal).run("r2", "reasoning", many(30), never)
    assert len(marked(journal, "r1")[False]) == 3
    assert len(marked(journal, "r2")[False]) == 2
    for name in ("r1", "r2"):
        state = journal.acceptance(name)
        assert state is not None
        assert (state.target, state.accepted) == (5, 5)


def test_rounds_without_a_target_have_no_surplus(journal: Journal) -> None:
    plan(journal.database, None, "r")
    Scene().engine(journal).run("r", "reasoning", many(6), never)
    assert journal.acceptance("r") is None
    assert not marked(journal)[True]


def test_engines_that_run_at_once_accept_exactly_as_many_together(journal: Journal) -> None:
    plan(journal.database, 10, "r")
    shares = [work(*(f"{name}-{n}" for n in range(20))) for name in ("a", "b", "c")]

    def run(share: list[Work]) -> None:
        own = Journal(Database(journal.database.url), journal.trajectories)
        Scene().engine(own).run("r", "reasoning", share, never)
        own.database.close()

    threads = [threading.Thread(target=run, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(marked(journal)[False]) == 10


def solved(task_id: str, **fields: object) -> Trajectory:
    base = {"runtime_id": "x", "round": "r", "task_type": "code", "outcome": "solved", "success": True}
    return Trajectory(task_id=task_id, **{**base, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("newer", ["r", "another round"])
def test_a_verdict_taken_back_frees_a_place_for_the_oldest_surplus(journal: Journal, newer: str) -> None:
    plan(journal.database, 2, "r")
    for name in ("a", "b", "c", "d"):
        journal.write(solved(name))
    if newer != "r":
        journal.write(solved("c", round=newer))
    assert marked(journal) == {False: {"a", "b"}, True: {"c", "d"}}
    assert journal.settle("r") == []

    journal.write(solved("a", outcome="unsolved", success=False))

    assert journal.settle("r") == ["r"]
    assert marked(journal) == {False: {"b", "c"}, True: {"d"}}
    assert journal.settle("r") == []
    file = trajectory_from_json((journal.trajectories / "c.json").read_bytes())
    assert (file.round, file.surplus) == (newer, False)


@pytest.mark.parametrize("withheld", [{"judged": True}, {"metadata": {"refs_moved": 1}}])
def test_what_no_dataset_takes_does_not_count(journal: Journal, withheld: dict[str, object]) -> None:
    plan(journal.database, 2, "r")
    for name in ("a", "b"):
        journal.write(solved(name, **withheld))
    assert journal.acceptance("r") == Acceptance(target=2, accepted=0, surplus=0, finished=2, withheld=2)
    assert journal.settle("r") == []
    for name in ("c", "d", "e"):
        journal.write(solved(name))
    assert journal.acceptance("r") == Acceptance(target=2, accepted=2, surplus=1, finished=5, withheld=2)
    assert marked(journal) == {False: {"c", "d"}, True: {"a", "b", "e"}}


def test_a_judges_word_counts_where_datasets_take_it_and_no_more_than_were_asked_for(
    journal: Journal,
) -> None:
    plan(journal.database, 2, "r")
    for name in ("a", "b", "c"):
        journal.write(solved(name, judged=True))
    told = Journal(journal.database, journal.trajectories, judged=True)
    assert told.settle("r") == ["r", "r"]
    assert told.acceptance("r") == Acceptance(target=2, accepted=2, surplus=1, finished=3)
    assert marked(told) == {False: {"a", "b"}, True: {"c"}}
    told.write(solved("d", judged=True))
    assert "d" in marked(told)[True]


def test_a_verifiers_verdict_in_place_of_a_judges_counts(journal: Journal) -> None:
    plan(journal.database, 1, "r")
    judged = solved("a", judged=True, created_at=1.0)
    journal.write(judged)
    (old,) = journal.read_round("r")
    assert journal.replace_verdict(old, solved("a", created_at=1.0))
    assert journal.settle("r") == ["r"]
    assert marked(journal) == {False: {"a"}, True: set()}


def test_a_trajectory_that_is_written_again_keeps_its_place(journal: Journal) -> None:
    plan(journal.database, 1, "r")
    for _ in range(3):
        journal.write(solved("a"))
    journal.write(solved("b"))
    assert marked(journal) == {False: {"a"}, True: {"b"}}
