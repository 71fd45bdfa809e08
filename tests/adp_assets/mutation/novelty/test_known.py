"""The index over the pool, whose shingles are made once and kept."""

from __future__ import annotations

import sqlalchemy as sa

from adp_assets.intake.pool import Known, TaskPool
from adp_assets.mutation.novelty.known import came_in, index_of_pool
from adp_assets.mutation.novelty.shingles import hashes, is_current, packed
from adp_resources.tables import pool_tasks
from tests.adp_assets.tasks import add, task

SUM = "Add two numbers that are given as texts and return their sum as a text."


def test_tasks_of_every_type_and_status_are_in_it(pool: TaskPool) -> None:
    add(pool, task("a", description=SUM), task("b", task_type="web"))
    with pool.database.begin() as connection:
        pool.add(connection, [task("c", description="For review: say hello.")], status="review")
    index = index_of_pool(pool.database)
    assert len(index) == 3
    assert index.nearest(hashes(SUM)).task_id == "a"
    assert index.nearest(hashes("For review: say hello.")).task_id == "c"


def test_what_has_no_shingles_of_this_version_gets_them_once(pool: TaskPool) -> None:
    add(pool, *(task(f"t{number}") for number in range(1_203)))
    with pool.database.begin() as connection:
        old = {"old": Known(shingles=b"\x00" * 16)}
        pool.add(connection, [task("old", description=SUM)], known=old)
    assert len(index_of_pool(pool.database)) == 1_204
    with pool.database.begin() as connection:
        assert all(map(is_current, connection.execute(sa.select(pool_tasks.c.shingles)).scalars()))
        connection.execute(sa.update(pool_tasks).values(spec={}))  # from which nothing could be made again
    again = index_of_pool(pool.database)
    assert again.nearest(hashes(SUM)).task_id == "old"
    assert again.nearest(hashes(task("t7").description)).task_id == "t7"


def test_what_came_into_the_pool_since_is_told_from_what_is_known(pool: TaskPool) -> None:
    add(pool, task("old"), task("known"))
    with pool.database.begin() as connection:
        connection.execute(sa.update(pool_tasks).values(added_at=100.0))
    kept = packed(hashes(SUM))
    with pool.database.begin() as connection:
        pool.add(connection, [task("judged")], known={"judged": Known(shingles=kept)})
    add(pool, task("written", description=SUM.upper()))
    with pool.database.read() as connection:
        found = came_in(connection, 200.0, {"known"})
        assert came_in(connection, 100.0, {"known"}).keys() == {"old", "judged", "written"}
    assert found.keys() == {"judged", "written"}
    assert [own.tolist() for own in found.values()] == [hashes(SUM).tolist()] * 2


def test_shingles_that_a_gate_made_are_taken_as_they_are(pool: TaskPool) -> None:
    with pool.database.begin() as connection:
        known = {"a": Known(shingles=packed(hashes(SUM)))}
        pool.add(connection, [task("a", description="Something else.")], known=known)
    assert index_of_pool(pool.database).nearest(hashes(SUM)).similarity == 1.0
