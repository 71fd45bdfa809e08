"""Judging a round's candidates: kept verdict by verdict, the same again, and nothing lost by a kill."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import msgspec
import pytest
import sqlalchemy as sa

from adp_assets.intake.pool import TaskPool
from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import Finding, Gate, Judgement
from adp_assets.mutation.gates.novel import NoveltyGate
from adp_assets.mutation.judging import Judging
from adp_assets.mutation.novelty.known import index_of_pool
from adp_assets.mutation.table import CandidateTable
from adp_resources.database import Database
from adp_resources.tables import pool_tasks, trials
from runtimes.contracts import TaskSpec, Verifier
from runtimes.errors import BudgetSpent, ConfigurationError, ModelRefused, ModelUnavailable
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
    assert CandidateTable(pool.database).find() == []
    second = await judge(pool.database, proposed, Watched())
    assert all(judgement.accepted for judgement in second)


async def test_a_spent_budget_leaves_the_rest_undecided(pool: TaskPool) -> None:
    proposed = sound(3)
    last = proposed[-1].task

    def spend(description: str) -> None:
        if last is not None and description == last.description:
            raise BudgetSpent("Round round-0001 stops: no tokens are left.")

    judgements = await judge(pool.database, proposed, Watched(spend), samples=1)
    assert "no tokens are left" in judgements[-1].undecided
    assert not any(judgement.is_refused for judgement in judgements)


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
    *failed, good = await judging(pool, cheap, costly).judge(proposed)
    for judgement in failed:
        fault = "a fault of the platform: ZeroDivisionError: nobody thought of this"
        assert (judgement.undecided, judgement.accepted, judgement.is_refused) == (fault, False, False)
    assert good.accepted
    assert [row.task_id for row in CandidateTable(pool.database).find()] == ["sound-2"]
    assert "sound-0: the gate faulty" in caplog.text
    assert "Traceback" in caplog.text


async def test_what_a_gate_repeats_of_an_answer_can_be_written_down(pool: TaskPool) -> None:
    raises = "def add(a, b):\n    raise ValueError('a' + chr(0) + chr(0xD800))"
    made = candidate(task("nul", description="Add two numbers up.", verifier=SUMS), raises)
    (judgement,) = await judge(pool.database, [made], Watched())
    assert judgement.gate == "sanity"
    assert "ValueError: a\N{REPLACEMENT CHARACTER}" in judgement.reason


@pytest.mark.parametrize("fault", [ModelRefused("HTTP 401"), ConfigurationError("No such folder.")])
async def test_what_concerns_every_candidate_ends_the_judging(pool: TaskPool, fault: Exception) -> None:
    with pytest.raises(type(fault), match=str(fault)):
        await judging(pool, Faulty("", fault), Faulty("sound-1", fault)).judge(sound(2))


def test_a_killed_judgement_goes_on_where_it_was(database: Database) -> None:
    program = [sys.executable, "-m", "tests.adp_assets.mutation.judged_round", database.url, "sound-2"]
    with subprocess.Popen(program, cwd=ROOT) as process:
        try:
            until(lambda: len(CandidateTable(database).find()) == 2, "the verdicts on what is not held")
        finally:
            process.kill()
    before = {row.task_id: row for row in CandidateTable(database).find()}
    assert before.keys() == {"sound-0", "sound-1"}
    ended = times(database)
    proposed, model = sound(3), Watched()

    judgements = asyncio.run(judge(database, proposed, model))

    assert all(judgement.accepted for judgement in judgements)
    assert {row.task_id: row for row in CandidateTable(database).find()}.items() >= before.items()
    assert times(database).items() >= ended.items()
    assert len(times(database)) == 6
    assert model.begun == {held_description(proposed): 2}
    assert TaskPool(database).pending() == 3


def times(database: Database) -> dict[tuple[str, int], float]:
    with database.read() as connection:
        rows = connection.execute(sa.select(trials.c.task_id, trials.c.sample, trials.c.ended_at))
        return {(row.task_id, row.sample): row.ended_at for row in rows}


def held_description(proposed: list[Candidate]) -> str:
    (description,) = (c.task.description for c in proposed if c.task and c.task.task_id == "sound-2")
    return description
