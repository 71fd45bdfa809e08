"""What waits for a person, and what a decision does to it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from adp_assets.intake.pool import Known, TaskPool
from adp_assets.intake.review import Reviews, Wanted
from adp_assets.rounds import NothingPending, Plan, Rounds, may_follow
from adp_resources.database import Database, upsert
from adp_resources.tables import candidates, reviews
from runtimes.contracts import Lineage, TaskSpec
from tests.adp_assets.tasks import task


def made(task_id: str, root: str = "seed", operator: str = "parameter", **fields: object) -> TaskSpec:
    lineage = Lineage(root, parents=(root,), operator=operator, generation=1, source="/tasks.jsonl")
    return task(task_id, lineage=lineage, **fields)


def wait(pool: TaskPool, *tasks: TaskSpec, **expected_pass: float) -> None:
    known = {task_id: Known(novelty=0.5, expected_pass=rate) for task_id, rate in expected_pass.items()}
    with pool.database.begin() as connection:
        pool.add(connection, tasks, status="review", known=known)


def accepted(database: Database, round: str, task_id: str) -> None:
    row = {
        "round": round,
        "task_id": task_id,
        "parent_id": "seed",
        "operator": "parameter",
        "accepted": True,
        "gate": "",
        "reason": "",
        "spec": None,
        "parents": ["seed"],
        "essence_id": "",
        "reference": "",
        "verdicts": [],
        "created_at": 0.0,
    }
    with database.begin() as connection:
        upsert(connection, candidates, [row])


def test_filters_narrow_what_waits_and_work_together(pool: TaskPool) -> None:
    wait(
        pool,
        made("a", task_type="web"),
        made("b", operator="language"),
        made("c", root="other", operator="language"),
        a=0.5,
        b=1.0,
    )
    with pool.database.begin() as connection:
        pool.add(connection, [made("pending")])
    for round, task_id in (("round-0001", "a"), ("round-0002", "b")):
        accepted(pool.database, round, task_id)
    waiting = Reviews(pool.database).waiting

    def ids(**wanted: object) -> list[str]:
        return [each.task.task_id for each in waiting(Wanted(**wanted))]  # type: ignore[arg-type]

    assert ids() == ["a", "b", "c"]
    assert ids(task_type="web") == ["a"]
    assert ids(operator="language") == ["b", "c"]
    assert ids(operator="language", root_id="other") == ["c"]
    assert ids(round="round-0002") == ["b"]
    assert ids(trivial=True) == ["b"]
    assert ids(task_type="web", trivial=True) == []
    (b,) = waiting(Wanted(round="round-0002"))
    assert (b.round, b.novelty, b.expected_pass, b.task.lineage.root_id) == ("round-0002", 0.5, 1.0, "seed")


def test_what_is_approved_waits_for_a_round_and_what_is_rejected_never_does(pool: TaskPool) -> None:
    wait(pool, made("good"), made("bad"), made("open"))
    decide = Reviews(pool.database).decide
    assert decide("good", approved=True, by="ann")
    assert decide("bad", approved=False, by="bob", reason="ambiguous")
    planned = Rounds(pool.database).plan("r", Plan())
    assert [each.task_id for each in Rounds(pool.database).tasks(planned.name)] == ["good"]
    assert pool.in_review() == 1
    assert set(pool.descriptions("code")) == {made(name).description for name in ("good", "bad", "open")}


def test_the_first_decision_stays(pool: TaskPool) -> None:
    wait(pool, made("a"))
    with pool.database.begin() as connection:
        pool.add(connection, [made("pending")])
    found = Reviews(pool.database)
    assert found.decide("a", approved=False, by="ann", reason="too easy")
    first = found.decision("a")
    assert first is not None
    assert (first.approved, first.decided_by, first.reason) == (False, "ann", "too easy")
    for approved in (False, True):
        assert not found.decide("a", approved=approved, by="bob")
        assert not found.decide("pending", approved=approved, by="bob")
        assert not found.decide("unknown", approved=approved, by="bob")
    assert found.decision("a") == first
    assert found.get("a").status == "rejected"
    with pool.database.read() as connection:
        assert connection.execute(sa.select(reviews.c.task_id)).scalars().all() == ["a"]


def test_where_only_tasks_in_review_are_left_that_is_the_reason_for_no_round(pool: TaskPool) -> None:
    wait(pool, made("a"), made("b"))
    rounds = Rounds(pool.database)
    with pytest.raises(NothingPending, match=r"but 2 for a person's approval \(`adp review list`\)"):
        rounds.plan("r", Plan())
    with pytest.raises(NothingPending, match=r"no task waits in the pool\."):
        rounds.plan("r", Plan(types=("web",)))
    Reviews(pool.database).decide("a", approved=True, by="ann")
    before = rounds.plan("r", Plan())
    reason = may_follow(
        before, pending=pool.pending(), in_review=pool.in_review(), spent_usd=0, max_spend_usd=None
    )
    assert reason == "no task waits in the pool but 1 for a person's approval (`adp review list`)"
