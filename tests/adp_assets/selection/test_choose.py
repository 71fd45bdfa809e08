"""A round's choice out of a real pool: what comes first, how it is explained, and what five rounds give."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adp_assets.intake.pool import TaskPool
from adp_assets.rounds import Plan, Rounds
from adp_assets.selection import cut
from adp_assets.selection.aim import Mix
from adp_resources.database import Database
from adp_resources.journal import Journal
from adp_resources.tables import pool_tasks, task_stats
from tests.adp_assets.selection.pools import made, put
from tests.adp_assets.tasks import add, solved, task

ROOTS = [f"s{n:02}" for n in range(12)]


@pytest.fixture
def rounds(database: Database) -> Rounds:
    return Rounds(database)


def family(root: str, count: int) -> list[str]:
    return [f"{root}-{n:03}" for n in range(count)]


def fill(pool: TaskPool, count: int, tried: float = 0.5, roots: list[str] = ROOTS) -> None:
    for root in roots:
        put(pool, [made(name, root, domain=root) for name in family(root, count)], tried=tried)


def test_peoples_tasks_come_before_all_that_was_made_of_them(pool: TaskPool, rounds: Rounds) -> None:
    put(pool, [made("urgent", "s", priority=10)])
    add(pool, task("low"), task("high", priority=9))
    rounds.plan("r1", Plan(size=3))
    assert [each.task_id for each in rounds.tasks("r1")] == ["high", "low", "urgent"]
    reasons = rounds.reasons("r1")
    assert reasons["high"] == "people: somebody wrote it; of these priority 10 comes first, this has 9"
    assert reasons["urgent"].startswith("age: among the longest waiting of priority 10; ")


def test_a_round_is_explained_as_a_whole(pool: TaskPool, rounds: Rounds) -> None:
    add(pool, task("a"), task("b"))
    fill(pool, 20)
    rounds.plan("r1", Plan(size=62, mix=Mix(0.2, 0.8, root_share=0.1)))
    explained = rounds.selection("r1")
    assert explained is not None
    assert explained["rules"] == {"people": 2, "age": 6, "mix": 54}
    assert (explained["seed"], explained["bounds"], explained["aim"]) == ("r1", [0.2, 0.8], 0.5)
    assert (explained["looked_at"], explained["left_waiting"], explained["roots"]) == (240, 180, 12)
    assert (explained["root_quota"], explained["largest_root"]["tasks"]) == (6, 6)
    assert explained["held_back"] == 0
    assert explained["expected_pass"] == pytest.approx(0.5)
    assert len(rounds.reasons("r1")) == 62
    assert all(rounds.reasons("r1").values())


def test_the_same_pool_and_name_give_the_same_choice(tmp_path: Path) -> None:
    choices = []
    for name in ("one", "two"):
        database = Database(f"sqlite:///{tmp_path}/{name}.sqlite")
        database.upgrade()
        roots = ROOTS if name == "one" else ROOTS[::-1]
        fill(TaskPool(database), 30, roots=roots)
        with database.begin() as connection:
            connection.execute(sa.update(pool_tasks).values(added_at=1.0))
        Rounds(database).plan("r1", Plan(size=50))
        choices.append(Rounds(database).reasons("r1"))
        database.close()
    assert list(choices[0].items()) == list(choices[1].items())


def test_an_index_leads_to_everything_that_is_looked_at(pool: TaskPool) -> None:
    fill(pool, 5)
    statements: list[tuple[str, object]] = []
    with pool.database.read() as connection:
        sa.event.listen(
            connection,
            "before_cursor_execute",
            lambda c, cur, text, values, *_: statements.append((text, values)),
        )
        cut.people(connection, cut.Allowed(), 10)
        cut.generated(connection, "r", cut.Allowed(("code",), ("/tasks.jsonl",)), 10, 3)
        asked = list(statements)
        steps = [
            row[3]
            for text, values in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)  # type: ignore[arg-type]
        ]
    assert len(asked) > 10
    assert [step for step in steps if "SCAN pool_tasks" in step or "TEMP B-TREE" in step] == []


def test_small_roots_are_looked_at_though_one_root_fills_the_pool(
    pool: TaskPool, rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut, "AT_LEAST", 40)
    put(pool, [made(name, "huge") for name in family("huge", 1_000)], tried=0.5)
    fill(pool, 2)
    rounds.plan("r1", Plan(size=30))
    roots = Counter(name.split("-")[0] for name in rounds.reasons("r1"))
    assert {root: roots[root] for root in ROOTS} == dict.fromkeys(ROOTS, 2)
    explained = rounds.selection("r1")
    assert explained is not None
    assert explained["looked_at"] < 150


def test_of_more_roots_than_are_looked_at_others_come_in_by_the_draw(
    pool: TaskPool, rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut, "MOST_ROOTS", 5)
    monkeypatch.setattr(cut, "AT_LEAST", 40)
    put(pool, [made(f"t{n:03}", f"root-{n:03}") for n in range(300)], tried=0.5)
    rounds.plan("r1", Plan(size=20))
    roots = {int(name[1:]) for name in rounds.reasons("r1")}
    assert len(roots) == 20
    assert max(roots) > 100


def test_descendants_of_urgent_seeds_come_first_within_their_roots_quota(
    pool: TaskPool, rounds: Rounds
) -> None:
    fill(pool, 10)
    put(pool, [made(name, "vip", priority=10) for name in family("vip", 30)], tried=0.5)
    rounds.plan("r1", Plan(size=40))
    chosen = list(rounds.reasons("r1"))
    assert {name.split("-")[0] for name in chosen[:8]} == {"vip"}
    assert sum(name.startswith("vip") for name in chosen) == 8


def test_the_pass_rate_stays_within_bounds_over_five_rounds_that_the_pool_misjudges(
    pool: TaskPool, rounds: Rounds, tmp_path: Path
) -> None:
    """Parents' records promise about 0.2 too little, and most tasks that wait are easy ones."""
    chance = random.Random(6)
    journal = Journal(pool.database, tmp_path)
    truth: dict[str, float] = {}
    for root in ROOTS:
        for name in family(root, 120):
            truth[name] = chance.choice([0.1, 0.4, 0.85, 0.95, 0.95])
        made_of_root = [made(name, root, parent=f"p-{name}") for name in family(root, 120)]
        put(pool, made_of_root)
    with pool.database.begin() as connection:
        connection.execute(
            sa.insert(task_stats),
            [
                {"task_id": f"p-{name}", "episodes": 9, "verified": 9, "solved": 4, "updated_at": 0.0}
                | {"difficulty": 1 - max(rate - 0.2, 0.0)}
                for name, rate in truth.items()
            ],
        )
    rates = []
    for number in range(1, 6):
        follows = f"r{number - 1}" if number > 1 else None
        rounds.plan(f"r{number}", Plan(size=100, follows=follows))
        chosen = list(rounds.reasons(f"r{number}"))
        assert len(chosen) == 100
        passed = {name: chance.random() < truth[name] for name in chosen}
        for name, ok in passed.items():
            outcome: dict[str, Any] = {} if ok else {"outcome": "unsolved", "success": False, "reward": 0.0}
            journal.write(solved(name, round=f"r{number}", **outcome))
        rates.append(sum(passed.values()) / len(passed))
        explained = rounds.selection(f"r{number}")
        assert explained is not None
        assert 0.3 <= explained["expected_pass"] <= 0.9
    assert all(0.3 <= rate <= 0.9 for rate in rates), rates
    second = rounds.selection("r2")
    assert second is not None
    assert second["aim"] < 0.6
    assert "its tasks were easier, so harder ones are preferred" in second["why"]
    assert abs(rates[-1] - 0.6) < abs(rates[0] - 0.6)
