"""The table of candidates: what later rounds are told to avoid."""

from __future__ import annotations

from adp_assets.intake.pool import TaskPool
from adp_assets.mutation.gates.base import Judgement, Verdict
from adp_assets.mutation.table import AVOIDED, CandidateTable
from adp_assets.rounds import Plan, Rounds
from runtimes.contracts import Lineage
from tests.adp_assets.mutation.candidates import candidate
from tests.adp_assets.tasks import add, task


def refused(name: str, gate: str, parent: str) -> Judgement:
    made = candidate(task(name, description=f"Said {name}."), parent=task(parent), essence_id=name)
    return Judgement(made, [Verdict(gate, False, "because")], gate)


def test_rounds_are_told_what_was_rejected_in_rounds_planned_before_by_root(pool: TaskPool) -> None:
    add(pool, task("a"), task("b"), task("a2", lineage=Lineage(root_id="a", generation=1)))
    for name in ("r1", "r2", "r3"):
        Rounds(pool.database).plan(name, Plan(size=1))
    table = CandidateTable(pool.database)
    table.keep("r1", [refused(f"old-{number}", "novelty", "a") for number in range(AVOIDED + 2)])
    table.keep("r1", [refused("other", "sanity", "b"), refused("tools", "tools", "b")])
    table.keep("r2", [refused("newest", "sanity", "a2")])
    table.keep("r3", [refused("own", "novelty", "a")])

    avoid = table.rejected_before("r3")
    assert avoid["a"][0] == "Said newest."
    assert len(avoid["a"]) == AVOIDED
    assert avoid["b"] == ["Said other."]
    assert table.rejected_before("r1") == {}

    before = table.rejected_before("r2")
    table.keep("r3", [refused("later", "novelty", "b")])
    assert table.rejected_before("r2") == before
    assert "Said newest." not in before["a"]
