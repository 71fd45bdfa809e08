"""Judging a round's candidates: kept verdict by verdict, the same again, and nothing lost by a kill."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from adp_assets.intake.pool import TaskPool
from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import GATES_VERSION, Finding, Gate, Judgement
from adp_assets.mutation.gates.novel import NoveltyGate
from adp_assets.mutation.judging import NOT_YET, Judging
from adp_assets.mutation.novelty.known import index_of_pool
from adp_assets.mutation.table import CandidateTable, JudgedCandidate
from adp_assets.selection.drying import Proposals, proposals_of
from adp_resources.database import Database
from adp_resources.tables import candidates, pool_tasks, trials
from runtimes.contracts import TaskSpec, Verifier
from runtimes.errors import (
    BudgetSpent,
    ConfigurationError,
    InfrastructureError,
    ModelRefused,
    ModelUnavailable,
)
from runtimes.secrets import Redactor
from tests.adp_assets.mutation.candidates import ADD, SUMS, candidate
from tests.adp_assets.mutation.judged_round import ROUND, SECRET, Watched, judge, sound
from tests.adp_assets.tasks import add, task
from tests.e2e.waiting import until
from tests.llm_server.process import ROOT

KNOWN = "Write a Python function that adds two numbers and returns the sum as an integer."


def bad_ones() -> dict[str, Candidate]:
    """What the issue names as bad input, by the gate that is to refuse it."""
    cases = [{"call": "add(1, 1)", "expected": 2}, {"call": "add(1, 1)", "expected": 3}]
    contradictory = Verifier("python_tests", {"cases": cases})
    unsolvable = {"cases": [{"call": "add(2, 2)", "expected": 4}]}
    parent = task("seed", description=KNOWN)
    return {
        "schema: no JSON": candidate(None, reason='the reply was \'{"a": 1} // done\'', essence_id="0"),
        "schema: length": candidate(task("b1", description="x" * 50_000)),
        "schema: language": candidate(task("b2", description="把两个数加起来,返回它们的和。"), parent=parent),
        "schema: verifier": candidate(task("b3", verifier=None)),
        "tools: unknown": candidate(task("b4", expected_tools=["magic"])),
        "policy: site": candidate(task("b5", description="Fetch the prices from evil.test.")),
        "policy: secret": candidate(task("b6", description=f"Log in with {SECRET} and report.")),
        "novelty: copy": candidate(task("b7", description=KNOWN.upper())),
        "sanity: no answer": candidate(task("b8", description="Name the colour of the sky.")),
        "sanity: contradiction": candidate(
            task("b9", description="Give add twice, each time another.", verifier=contradictory), ADD
        ),
        "sanity: always passes": candidate(
            task("b10", description="Say anything at all.", verifier=Verifier("json", {"schema": {}})), "1"
        ),
        "trial: hopeless": candidate(
            task(
                "b11",
                description="An agent that knows this wording is yet to be born.",
                verifier=Verifier("python_tests", unsolvable),
            ),
            ADD,
        ),
    }  # fmt: skip


async def test_every_kind_of_bad_candidate_is_refused_by_its_gate_and_the_rest_goes_on(
    pool: TaskPool,
) -> None:
    add(pool, task("known", description=KNOWN))
    bad, good = bad_ones(), sound(2)
    judgements = await judge(pool.database, [*bad.values(), *good], Watched())
    refused = dict(zip(bad, judgements, strict=False))
    assert {name: name.split(":")[0] for name in bad} == {name: j.gate for name, j in refused.items()}
    assert all(judgement.is_refused and judgement.reason for judgement in refused.values())
    assert [judgement.accepted for judgement in judgements[len(bad) :]] == [True, True]
    for made in good:
        assert made.task is not None
        in_pool = pool.get(made.task.task_id)
        assert in_pool is not None
        assert in_pool.metadata["trivial"] is True
    assert pool.pending() == 3


async def test_the_table_says_what_each_gate_said_and_how_long_it_took(pool: TaskPool) -> None:
    (made,) = sound(1)
    await judge(pool.database, [made], Watched(), status="review")
    (row,) = CandidateTable(pool.database).find(ROUND, accepted=True)
    assert [verdict.gate for verdict in row.verdicts] == [
        *("schema", "tools", "policy", "novelty", "sanity", "trial")
    ]
    assert all(verdict.passed and verdict.seconds > 0 for verdict in row.verdicts)
    assert (row.reference, row.parents) == (made.reference, ["seed"])
    with pool.database.read() as connection:
        kept = connection.execute(sa.select(pool_tasks)).one()
    assert (kept.status, kept.expected_pass, kept.novelty) == ("review", 1.0, 1.0)
    assert kept.shingles


async def test_no_secret_is_written_down(pool: TaskPool) -> None:
    await judge(pool.database, [candidate(task("leak", description=f"Log in: {SECRET}"), SECRET)], Watched())
    (row,) = CandidateTable(pool.database).find(ROUND)
    assert row.gate == "policy"
    assert SECRET not in msgspec.json.encode(row).decode()
    assert "[redacted:MY_KEY]" in row.description


async def test_judging_again_asks_no_gate_and_gives_the_same(pool: TaskPool) -> None:
    proposed = [*sound(1), *bad_ones().values()]
    first = await judge(pool.database, proposed, Watched())
    model = Watched()
    again = await judge(pool.database, proposed, model)
    assert list(map(shown, again)) == list(map(shown, first))
    assert not model.begun


def shown(judgement: Judgement) -> tuple[object, ...]:
    known = judgement.known
    return (
        *(judgement.accepted, judgement.gate, judgement.reason, judgement.verdicts),
        *(known.novelty, known.expected_pass),
    )


async def test_an_outage_rejects_nothing_and_the_next_time_decides(pool: TaskPool) -> None:
    proposed = sound(2)

    def down(description: str) -> None:
        raise ModelUnavailable("The model's server is down.")

    first = await judge(pool.database, proposed, Watched(down))
    assert [(judgement.gate, judgement.accepted) for judgement in first] == [("trial", False)] * 2
    assert all("is down" in judgement.undecided for judgement in first)
    kept = CandidateTable(pool.database).find(undecided=True)
    assert {(row.task_id, row.accepted, row.gate) for row in kept} == {
        (name, None, "trial") for name in ("sound-0", "sound-1")
    }
    assert all("is down" in row.reason for row in kept)
    why = CandidateTable(pool.database).undecided()[ROUND]
    assert why.startswith("2 of its candidates for new tasks are undecided: ")
    assert "is down" in why
    second = await judge(pool.database, proposed, Watched())
    assert all(judgement.accepted for judgement in second)
    assert CandidateTable(pool.database).undecided() == {}


async def test_an_undecided_candidate_is_judged_with_the_task_it_came_with_whatever_is_drafted_since(
    pool: TaskPool,
) -> None:
    (made,) = sound(1)

    def spent(description: str) -> None:
        raise BudgetSpent("No tokens are left.")

    await judge(pool.database, [made], Watched(spent))
    assert made.task is not None
    other = replace(made, task=msgspec.structs.replace(made.task, description="Something else."))
    (judgement,) = await judge(pool.database, [other], Watched())
    assert judgement.accepted
    assert judgement.candidate.task is not None
    assert judgement.candidate.task.description == made.task.description


async def test_what_other_gates_refused_is_judged_again_and_what_they_accepted_stays(pool: TaskPool) -> None:
    add(pool, task("known", description=KNOWN))
    (good,) = sound(1)
    copy = candidate(task("copy", description=KNOWN), parent=task("seed", description=KNOWN))
    await judge(pool.database, [good, copy], Watched())
    with pool.database.begin() as connection:
        connection.execute(sa.update(candidates).values(gates_version="before", reason="as it was"))

    model = Watched()
    judgements = await judge(pool.database, [good, copy], model)

    assert [judgement.accepted for judgement in judgements] == [True, False]
    rows = {row.task_id: row for row in CandidateTable(pool.database).find(ROUND)}
    assert (rows["sound-0"].gates_version, rows["sound-0"].reason) == ("before", "as it was")
    assert rows["copy"].gates_version == GATES_VERSION
    assert "a near copy of known" in rows["copy"].reason
    assert not model.begun


async def test_a_spent_budget_leaves_the_rest_undecided(pool: TaskPool) -> None:
    proposed = sound(3)
    last = proposed[-1].task

    def spend(description: str) -> None:
        if last is not None and description == last.description:
            raise BudgetSpent("Round round-0001 stops: no tokens are left.")

    judgements = await judge(pool.database, proposed, Watched(spend), samples=1)
    assert "no tokens are left" in judgements[-1].undecided
    assert not any(judgement.is_refused for judgement in judgements)


async def test_a_copy_that_came_into_the_pool_meanwhile_is_found_before_the_task_is_let_in(
    pool: TaskPool,
) -> None:
    (made,) = sound(1)

    def another_round(description: str) -> None:
        add(pool, task("twin", description=description), task("stranger", description=KNOWN))

    (judgement,) = await judge(pool.database, [made], Watched(another_round), samples=1)
    assert (judgement.accepted, judgement.gate) == (False, "novelty")
    (row,) = CandidateTable(pool.database).find(accepted=False)
    assert "a near copy of twin (similarity 1.00), which came into the pool meanwhile" in row.reason
    assert [(verdict.gate, verdict.passed) for verdict in row.verdicts][-2:] == [
        ("trial", True),
        ("novelty", False),
    ]
    assert proposals_of(pool.database, ROUND) == Proposals(judged=1, new=0)
    assert pool.get("sound-0") is None


async def test_of_two_that_make_the_same_task_at_once_the_pool_gets_one(pool: TaskPool) -> None:
    (made,) = sound(1)
    assert made.task is not None
    parent = made.proposal.parent
    twin = candidate(msgspec.structs.replace(made.task, task_id="twin"), made.reference, parent=parent)
    both_tried, waiting = asyncio.Barrier(2), iter(range(2))

    def meet(description: str) -> Any:
        return both_tried.wait() if next(waiting, None) is not None else None

    model = Watched(meet)
    found = await asyncio.gather(*(judge(pool.database, [each], model, samples=1) for each in (made, twin)))
    assert sorted(judgement.accepted for (judgement,) in found) == [False, True]
    assert pool.pending() == 1


class Faulty(Gate):
    """A gate that fails as nobody foresaw, of one task."""

    name = "faulty"

    def __init__(self, task_id: str, fault: Exception) -> None:
        self.task_id = task_id
        self.fault = fault

    async def judge(self, task: TaskSpec, candidate: Candidate) -> Finding:
        if task.task_id == self.task_id:
            raise self.fault
        return Finding()


def judging(pool: TaskPool, cheap: Gate, costly: Gate) -> Judging:
    novelty = NoveltyGate(index_of_pool(pool.database))
    return Judging(
        CandidateTable(pool.database),
        ROUND,
        cheap=[cheap],
        novelty=novelty,
        costly=[costly],
        redactor=Redactor([]),
    )


async def test_a_gate_that_fails_leaves_its_candidate_undecided_and_the_others_are_judged(
    pool: TaskPool, caplog: pytest.LogCaptureFixture
) -> None:
    proposed = sound(3)
    cheap, costly = (Faulty(f"sound-{n}", ZeroDivisionError("nobody thought of this")) for n in range(2))
    judgements = list(map(Judgement, proposed))
    await judging(pool, cheap, costly).judge(judgements)
    *failed, good = judgements
    for judgement in failed:
        fault = "a fault of the platform: ZeroDivisionError: nobody thought of this"
        assert (judgement.undecided, judgement.accepted, judgement.is_refused) == (fault, False, False)
    assert good.accepted
    assert [row.task_id for row in CandidateTable(pool.database).find(accepted=True)] == ["sound-2"]
    assert len(CandidateTable(pool.database).find(undecided=True)) == 2
    assert "sound-0: the gate faulty" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        (ZeroDivisionError("nobody thought of this"), [None, None, False]),
        (InfrastructureError("browser_error", "The page crashed."), [None, None, False]),
        (ModelUnavailable("The model's server is down."), [None] * 4),
        (BudgetSpent("No tokens are left."), [None] * 4),
    ],
    ids=lambda given: type(given).__name__,
)
async def test_a_candidate_that_a_gate_always_fails_at_is_refused_in_the_end_and_an_outage_refuses_none(
    pool: TaskPool, fault: Exception, ends: list[bool | None]
) -> None:
    table, proposed = CandidateTable(pool.database), sound(1)
    found = []
    for _ in ends:
        kept = table.kept(ROUND, [proposed[0].proposal])
        judgements = [*kept.values()] or [Judgement(proposed[0])]
        await judging(pool, Faulty("", fault), Faulty("sound-0", fault)).judge(judgements)
        (row,) = table.find(ROUND)
        assert str(fault) in row.reason
        found.append(row.accepted)
    assert found == ends


async def test_what_a_gate_repeats_of_an_answer_can_be_written_down(pool: TaskPool) -> None:
    raises = "def add(a, b):\n    raise ValueError('a' + chr(0) + chr(0xD800))"
    made = candidate(task("nul", description="Add two numbers up.", verifier=SUMS), raises)
    (judgement,) = await judge(pool.database, [made], Watched())
    assert judgement.gate == "sanity"
    assert "ValueError: a\N{REPLACEMENT CHARACTER}" in judgement.reason


@pytest.mark.parametrize("fault", [ModelRefused("HTTP 401"), ConfigurationError("No such folder.")])
async def test_what_concerns_every_candidate_ends_the_judging(pool: TaskPool, fault: Exception) -> None:
    with pytest.raises(type(fault), match=str(fault)):
        await judging(pool, Faulty("", fault), Faulty("sound-1", fault)).judge(list(map(Judgement, sound(2))))


def test_a_killed_judgement_goes_on_where_it_was(database: Database) -> None:
    program = [sys.executable, "-m", "tests.adp_assets.mutation.judged_round", database.url, "sound-2"]
    with subprocess.Popen(program, cwd=ROOT) as process:
        try:
            until(lambda: len(accepted(database)) == 2, "the verdicts on what is not held")
        finally:
            process.kill()
    before = accepted(database)
    assert before.keys() == {"sound-0", "sound-1"}
    (left,) = CandidateTable(database).find(undecided=True)
    assert (left.task_id, left.reason) == ("sound-2", NOT_YET)
    ended = times(database)
    proposed, model = sound(3), Watched()

    judgements = asyncio.run(judge(database, proposed, model))

    assert all(judgement.accepted for judgement in judgements)
    assert accepted(database).items() >= before.items()
    assert times(database).items() >= ended.items()
    assert len(times(database)) == 6
    assert model.begun == {held_description(proposed): 2}
    assert TaskPool(database).pending() == 3


def accepted(database: Database) -> dict[str, JudgedCandidate]:
    return {row.task_id: row for row in CandidateTable(database).find(accepted=True)}


def times(database: Database) -> dict[tuple[str, int], float]:
    with database.read() as connection:
        rows = connection.execute(sa.select(trials.c.task_id, trials.c.sample, trials.c.ended_at))
        return {(row.task_id, row.sample): row.ended_at for row in rows}


def held_description(proposed: list[Candidate]) -> str:
    (description,) = (c.task.description for c in proposed if c.task and c.task.task_id == "sound-2")
    return description
