"""The table of candidates: what later rounds are told to avoid, and what need not be drafted again."""

from __future__ import annotations

import sqlalchemy as sa

from adp_assets.intake.pool import TaskPool
from adp_assets.mutation.gates.base import Judgement, Verdict
from adp_assets.mutation.table import AVOIDED, CandidateTable
from adp_assets.rounds import Plan, Rounds
from adp_resources.tables import candidates
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


def test_a_draft_of_another_prompt_is_drafted_anew_unless_it_was_accepted(pool: TaskPool) -> None:
    table = CandidateTable(pool.database)
    good = Judgement(candidate(task("good")), [Verdict("trial", True)], "trial", accepted=True)
    silent = Judgement(candidate(None, reason="no JSON"), [Verdict("schema", False, "no JSON")], "schema")
    undecided = Judgement(candidate(task("down")), undecided="No server.")
    all_of_them = [good, refused("bad", "sanity", "p"), silent, undecided]
    table.keep("r1", all_of_them)
    asked = [judgement.candidate.proposal for judgement in all_of_them]
    ids = [proposal.candidate_id for proposal in asked]

    kept = table.kept("r1", asked)
    assert {name: kept[name].is_decided for name in ids} == dict(
        zip(ids, (True, True, True, False), strict=True)
    )
    assert [kept[name].candidate.task for name in ids] == [each.candidate.task for each in all_of_them]
    assert kept[ids[2]].reason == "no JSON"
    assert kept[ids[3]].verdicts == []
    assert table.kept("r2", asked) == {}

    with pool.database.begin() as connection:
        connection.execute(sa.update(candidates).values(prompt_version="1/1"))
    assert table.kept("r1", asked).keys() == {"good"}


def test_what_was_accepted_stays_whoever_judges_it_at_the_same_time(pool: TaskPool) -> None:
    table = CandidateTable(pool.database)
    made = candidate(task("good"))
    table.keep("r1", [Judgement(made, undecided="not yet")])
    table.keep("r1", [Judgement(made, [Verdict("trial", True)], "trial", accepted=True)])
    table.keep("r1", [Judgement(made, undecided="not yet"), refused("bad", "sanity", "p")])
    table.keep("r1", [Judgement(made, [Verdict("trial", False)], "trial")])
    assert {row.task_id: row.accepted for row in table.find("r1")} == {"good": True, "bad": False}


def test_undecided_ones_that_nobody_proposes_any_more_are_forgotten(pool: TaskPool) -> None:
    table = CandidateTable(pool.database)
    still, gone = (Judgement(candidate(task(name)), undecided="No server.") for name in ("still", "gone"))
    table.keep("r1", [still, gone, refused("decided", "sanity", "p")])
    table.keep("r2", [gone])
    table.forget_undecided("r1", [still.candidate.proposal])
    assert {row.task_id for row in table.find("r1")} == {"still", "decided"}
    assert table.undecided() == dict.fromkeys(
        ("r1", "r2"), "1 of its candidates for new tasks are undecided: No server."
    )
