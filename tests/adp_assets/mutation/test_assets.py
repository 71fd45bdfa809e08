"""The asset through all its gates: the built-in teacher proposes, real pages and episodes decide."""

from __future__ import annotations

import random
from pathlib import Path

import dagster as dg
import msgspec
import polars as pl
import pytest
import sqlalchemy as sa

from adp_assets.distillation.assets import COLUMNS as ESSENCE_COLUMNS
from adp_assets.intake.frames import task_frame
from adp_assets.intake.pool import TaskPool
from adp_assets.mutation.assets import COLUMNS, code_version, judged, mutated_tasks_asset
from adp_assets.mutation.operators import PARAMETER
from adp_assets.mutation.propose import proposals
from adp_assets.mutation.table import CandidateTable
from adp_assets.rounds import ROUNDS, Plan, Rounds
from adp_resources.database import Database
from adp_resources.resources import resources
from adp_resources.settings import Settings
from adp_resources.tables import candidates, llm_calls, pool_tasks, trials
from adp_resources.trials import FIRST_SAMPLE
from runtimes.contracts import TaskSpec
from runtimes.llm.teacher.families.web import CartFamily
from runtimes.llm.teacher.families.web_forms import ContactFamily
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from sandbox import SandboxPool
from tests.adp_assets.mutation.candidates import essence
from tests.adp_assets.mutation.essences import essence as of_task
from tests.adp_assets.scripted import Oracle
from tests.adp_assets.tasks import add, task

ROUND = "round-0001"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def seeds() -> list[TaskSpec]:
    """Tasks on the shop that its state alone decides."""
    made = []
    for number, family in enumerate((CartFamily(), ContactFamily())):
        params = family.sample(random.Random(3))
        task = family.task(params, family.render(params, "en"), f"seed-{number}")
        made.append(task.named())
    return made


def materialize(folder: Path, **settings: object) -> dg.ExecuteInProcessResult:
    tasks = seeds()

    @dg.asset(partitions_def=ROUNDS)
    def seed_tasks() -> pl.DataFrame:
        return task_frame(tasks, 1)

    @dg.asset(partitions_def=ROUNDS)
    def essences() -> pl.DataFrame:
        made = [
            msgspec.structs.replace(essence(task.task_id, f"e-{task.task_id}"), task_type="web")
            for task in tasks
        ]
        return pl.DataFrame([msgspec.to_builtins(each) for each in made], schema=ESSENCE_COLUMNS)

    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("rounds", [ROUND])
    overrides = {"project_root": str(folder), "web_screenshots": False, "teacher_error_rate": 0.0, **settings}
    return dg.materialize(
        [seed_tasks, essences, mutated_tasks_asset()],
        partition_key=ROUND,
        instance=instance,
        resources=resources(**overrides),
        run_config=QUIET,
    )


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/output/adp.sqlite")
    database.upgrade()
    add(TaskPool(database), *seeds())
    Rounds(database).plan(ROUND, Plan())
    return database


def test_new_web_tasks_come_into_the_pool_by_all_gates(tmp_path: Path, database: Database) -> None:
    result = materialize(tmp_path, trial_samples=1)
    assert result.success
    frame = result.output_for_node("mutated_tasks")
    assert dict(frame.schema) == COLUMNS
    accepted = frame.filter(pl.col("accepted"))
    assert accepted.height >= 1
    assert set(accepted["expected_pass"]) == {1.0}
    with database.read() as connection:
        made = connection.execute(sa.select(pool_tasks).where(pool_tasks.c.generation == 1)).all()
        ran = connection.execute(sa.select(trials.c.task_id, trials.c.sample, trials.c.outcome)).all()
        paid = connection.execute(sa.select(llm_calls.c.round, llm_calls.c.sample, llm_calls.c.stage)).all()
    assert {row.task_id for row in made} == set(accepted["task_id"])
    assert {row.status for row in made} == {"pending"}
    assert all(row.novelty is not None and row.shingles for row in made)
    assert {row.sample for row in ran} == {FIRST_SAMPLE}
    assert {(row.round, row.stage) for row in paid} == {(ROUND, "mutation"), (ROUND, "episode")}
    assert {row.sample for row in paid if row.stage == "episode"} == {FIRST_SAMPLE}
    (event,) = result.asset_materializations_for_node("mutated_tasks")
    assert event.metadata["accepted"].value == accepted.height
    assert event.metadata["undecided"].value == 0
    assert event.metadata.keys() >= {"rejected", "trivial", "refused_by", "preview", "chart", "gates"}

    again = materialize(tmp_path, trial_samples=1)
    assert again.output_for_node("mutated_tasks").equals(frame)
    with database.read() as connection:
        calls = connection.execute(sa.select(sa.func.count()).select_from(llm_calls)).scalar()
    assert calls == len(paid), "nothing that was decided is proposed again"


def test_where_people_review_accepted_tasks_wait_for_them(tmp_path: Path, database: Database) -> None:
    materialize(tmp_path, review_required=True, trial_samples=0)
    with database.read() as connection:
        made = connection.execute(sa.select(pool_tasks).where(pool_tasks.c.generation == 1)).all()
    assert {row.status for row in made} == {"review"}
    assert {row.expected_pass for row in made} == {None}


def test_an_undecided_candidate_that_is_proposed_no_more_leaves_nothing_to_judge(
    tmp_path: Path, database: Database
) -> None:
    materialize(tmp_path, trial_samples=0)
    with database.begin() as connection:
        connection.execute(sa.update(candidates).values(accepted=None))
    assert CandidateTable(database).undecided().keys() == {ROUND}
    materialize(tmp_path, trial_samples=0, mutations_per_essence=0)
    assert CandidateTable(database).undecided() == {}


async def test_what_was_proposed_before_a_kill_is_paid_for_once(tmp_path: Path, database: Database) -> None:
    parent = task("a")
    asked = proposals([of_task(parent)], {"a": parent}, [PARAMETER], 1)
    values = Settings(project_root=tmp_path, trial_samples=0)
    oracle = Oracle()
    for _ in range(2):
        async with Services(oracle, SandboxPool(slots=1), BrowserPool()) as services:
            judgements = await judged(asked, services, values, database, ROUND)
        assert [judgement.candidate.task_id for judgement in judgements] == [p.candidate_id for p in asked]
        with database.begin() as connection:
            connection.execute(sa.delete(candidates))
    assert oracle.count() == {"MutatedIdea": 1, "TaskDraft": 1}


def test_another_version_of_an_operator_is_another_version_of_the_asset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = code_version()
    monkeypatch.setattr(type(PARAMETER), "version", "next")
    assert code_version() != before


def test_a_forbidden_site_is_refused_by_policy_whoever_proposes_it(
    tmp_path: Path, database: Database
) -> None:
    assert materialize(tmp_path, forbidden_domains="shop.test").success
    with database.read() as connection:
        gates = connection.execute(sa.select(candidates.c.gate).where(candidates.c.spec.is_not(None)))
        assert set(gates.scalars()) == {"policy"}
