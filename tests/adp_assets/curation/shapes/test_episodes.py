"""Episodes: looked up a batch of rows at a time."""

from __future__ import annotations

from adp_assets.curation.shapes.episodes import episodes
from runtimes.contracts import Trajectory
from tests.adp_assets.curation.rows import asked, frame, row
from tests.adp_assets.tasks import solved


def test_each_row_gets_its_trajectory_and_its_task_and_a_batch_is_asked_for_at_once() -> None:
    recorded = {f"round-0001/{name}/0": solved(name) for name in "abc"}
    lookups: list[list[str]] = []

    def look_up(ids: list[str]) -> dict[str, Trajectory]:
        lookups.append(ids)
        return {each: recorded[each] for each in ids}

    batches = [frame(row(solved("a")), row(solved("b"))), frame(row(solved("c")))]
    found = list(episodes(batches, look_up))
    assert [each.trajectory for each in found] == list(recorded.values())
    assert [each.task for each in found] == [asked(name) for name in "abc"]
    assert [len(ids) for ids in lookups] == [2, 1]
