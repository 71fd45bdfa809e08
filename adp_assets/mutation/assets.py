"""The asset `mutated_tasks`; the accepted ones are in the pool when it has materialized."""

import time
from collections import Counter
from dataclasses import replace
from typing import Any

import dagster as dg
import msgspec
import polars as pl
from sqlalchemy import Connection

from adp_assets.display import bar_chart, preview
from adp_assets.intake.frames import tasks_of
from adp_assets.intake.pool import TaskPool
from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates import Gates, Verdict
from adp_assets.mutation.operators import operators
from adp_assets.mutation.propose import PROMPT_VERSION, proposals, propose
from adp_assets.rounds import ROUNDS
from adp_assets.stopping import cancelled, failing_in_words
from adp_resources.cancellation import run_stoppable
from adp_resources.database import Database, upsert
from adp_resources.resources import DatabaseResource, ModelResource
from adp_resources.settings import secret_redactor
from adp_resources.settings_resource import SettingsResource
from adp_resources.tables import candidates as candidates_table
from adp_resources.toolbox import toolbox_of
from runtimes.contracts import Essence, TaskSpec
from runtimes.llm.base import Account
from runtimes.secrets import Redactor

COLUMNS = {
    "task_id": pl.String(),
    "accepted": pl.Boolean(),
    "gate": pl.String(),
    "reason": pl.String(),
    "operator": pl.String(),
    "parent_id": pl.String(),
    "root_id": pl.String(),
    "generation": pl.Int64(),
    "task_type": pl.String(),
    "description": pl.String(),
    "spec": pl.String(),
}


@dg.asset(
    partitions_def=ROUNDS,
    group_name="mutation",
    kinds={"polars", "parquet", "openai"},
    code_version=PROMPT_VERSION,
    description="New tasks made from the round's essences, each with its lineage and the verdict of the "
    "gates. Accepted ones wait in the pool for a coming round, which is how the loop closes.",
)
def mutated_tasks(
    context: dg.AssetExecutionContext,
    seed_tasks: pl.DataFrame,
    essences: pl.DataFrame,
    settings: SettingsResource,
    database: DatabaseResource,
    model: ModelResource,
) -> pl.DataFrame:
    values = settings.get()
    asked = proposals(
        [msgspec.convert(row, Essence) for row in essences.iter_rows(named=True)],
        tasks_of(seed_tasks),
        operators(),
        values.mutations_per_essence,
    )
    tools = toolbox_of(values, database.get()).names()
    available = dict.fromkeys({proposal.parent.task_type for proposal in asked}, tools)

    async def run() -> list[Candidate]:
        async with model.open(Account(round=context.partition_key, stage="mutation")) as chat:
            return await propose(asked, chat, available, at_once=values.synthesis_in_flight)

    with failing_in_words(context):
        proposed = without_secrets(run_stoppable(run, cancelled(context)), secret_redactor(values))
        verdicts = accept(database.get(), context.partition_key, proposed, tools)
    frame = pl.DataFrame([_row(c, verdicts[c.task_id]) for c in proposed], schema=COLUMNS)
    by_operator = {
        name: dict(Counter("accepted" if ok else "rejected" for ok in part["accepted"]))
        for (name,), part in frame.group_by("operator", maintain_order=True)
    }
    context.add_output_metadata(
        {
            "accepted": int(frame["accepted"].sum()),
            "rejected": int((~frame["accepted"]).sum()),
            "preview": preview(frame, ["accepted", "operator", "description", "gate", "reason"]),
            "chart": bar_chart("Candidates by operator", by_operator),
        }
    )
    return frame


def without_secrets(candidates: list[Candidate], redactor: Redactor) -> list[Candidate]:
    """What a model said may repeat what it was called with."""
    return [
        replace(candidate, task=redactor.json(candidate.task), reason=redactor.text(candidate.reason))
        for candidate in candidates
    ]


def accept(database: Database, round: str, proposed: list[Candidate], tools: list[str]) -> dict[str, Verdict]:
    """Judge the candidates and put the accepted ones into the pool, in one transaction.

    `tools` are the names that tasks may be given, of whatever type they are.
    Candidates that an earlier materialization of the round judged keep their verdict.
    """
    pool = TaskPool(database)
    with database.begin() as connection:
        verdicts = _known_verdicts(connection, round)
        new = [candidate for candidate in proposed if candidate.task_id not in verdicts]
        kinds = {candidate.proposal.parent.task_type for candidate in new}
        gates = Gates(dict.fromkeys(kinds, tools), {kind: pool.descriptions(kind) for kind in kinds})
        accepted: list[TaskSpec] = []
        for candidate in new:
            if candidate.task is None:
                verdicts[candidate.task_id] = Verdict(False, "schema", candidate.reason)
                continue
            verdict = verdicts[candidate.task_id] = gates.judge(candidate.task)
            if verdict.accepted:
                accepted.append(candidate.task)
        pool.add(connection, accepted)
        upsert(connection, candidates_table, [_record(round, c, verdicts[c.task_id]) for c in new])
    return verdicts


def _known_verdicts(connection: Connection, round: str) -> dict[str, Verdict]:
    table = candidates_table.c
    query = candidates_table.select().where(table.round == round)
    return {row.task_id: Verdict(row.accepted, row.gate, row.reason) for row in connection.execute(query)}


def _record(round: str, candidate: Candidate, verdict: Verdict) -> dict[str, Any]:
    return {
        "round": round,
        "task_id": candidate.task_id,
        "parent_id": candidate.proposal.parent.task_id,
        "operator": candidate.proposal.operator.name,
        "accepted": verdict.accepted,
        "gate": verdict.gate,
        "reason": verdict.reason,
        "spec": msgspec.to_builtins(candidate.task),
        "created_at": time.time(),
    }


def _row(candidate: Candidate, verdict: Verdict) -> dict[str, Any]:
    parent, task = candidate.proposal.parent, candidate.task
    return {
        "task_id": candidate.task_id,
        "accepted": verdict.accepted,
        "gate": verdict.gate,
        "reason": verdict.reason,
        "operator": candidate.proposal.operator.name,
        "parent_id": parent.task_id,
        "root_id": parent.lineage.root_id,
        "generation": parent.lineage.generation + 1,
        "task_type": parent.task_type,
        "description": task.description if task else None,
        "spec": msgspec.json.encode(task).decode() if task else None,
    }
