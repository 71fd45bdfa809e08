"""The pool: each task once, and what makes two tasks the same."""

from __future__ import annotations

from collections import Counter

from adp_assets.intake.pool import TaskPool, description_key
from adp_assets.rounds import Plan, Rounds
from tests.adp_assets.tasks import add, task


def test_a_task_is_added_once_and_kept_as_it_came(pool: TaskPool) -> None:
    assert add(pool, task("a"), task("b"), task("a", description="Other.")) == {"a", "b"}
    assert add(pool, task("b"), task("c")) == {"c"}
    assert pool.get("a") == task("a")
    assert pool.get("unknown") is None


def test_tasks_are_counted_by_status_and_type(pool: TaskPool) -> None:
    add(pool, task("a"), task("b", task_type="web"), task("c", task_type="web", priority=9))
    Rounds(pool.database).plan("r", Plan(size=1))
    assert pool.counts() == Counter({("pending", "code"): 1, ("pending", "web"): 1, ("planned", "web"): 1})
    assert (pool.pending(), pool.pending(types=["web"]), pool.pending(sources=["/other"])) == (2, 1, 0)
    assert (pool.known_from(["/tasks.jsonl"]), pool.known_from(["/other"])) == (3, 0)
    assert pool.known_from([]) == 3


def test_descriptions_are_those_of_one_type(pool: TaskPool) -> None:
    add(pool, task("a"), task("b", task_type="web", description="逛商店"))
    assert pool.descriptions("web") == ["逛商店"]


def test_wording_that_differs_in_case_width_or_space_is_the_same_task() -> None:
    same = [task("a", description=text) for text in ("Add 1 and 2", "  add １  AND 2\n", "ADD 1 and 2")]
    assert len({description_key(each) for each in same}) == 1
    others = [
        task("b", description="Add 1 and 3"),
        task("c", description="Add 1 and 2", task_type="reasoning"),
        task("d", description="Add 1 and 2", constraints={"start_url": "http://shop.test/"}),
    ]
    assert len({description_key(each) for each in [same[0], *others]}) == 4
