"""The asset `mutated_tasks`; the accepted ones are in the pool when it has materialized."""

import asyncio
from collections import Counter
from typing import Any

import dagster as dg
import msgspec
import polars as pl

from adp_assets.display import bar_chart, preview
from adp_assets.intake.frames import tasks_of
from adp_assets.mutation.candidate import Proposal
from adp_assets.mutation.gates.base import Judgement
from adp_assets.mutation.gates.form import SchemaGate, ToolsGate
from adp_assets.mutation.gates.policy import PolicyGate
from adp_assets.mutation.gates.sanity import SanityGate
from adp_assets.mutation.gates.trial import TrialGate
from adp_assets.mutation.gates.tries import Outages
from adp_assets.mutation.judging import Judging
from adp_assets.mutation.operators import operators
from adp_assets.mutation.propose import PROMPT_VERSION, proposals, propose
from adp_assets.mutation.reach import offline_tools, tools_by_type
from adp_assets.mutation.table import CandidateTable
from adp_assets.rounds import ROUNDS
from adp_assets.stopping import cancelled, failing_in_words
from adp_resources.cancellation import run_stoppable
from adp_resources.database import Database
from adp_resources.resources import DatabaseResource, FanOutResource, episode_retry
from adp_resources.settings import Settings, secret_redactor
from adp_resources.settings_resource import SettingsResource
from adp_resources.trials import Trials
from runtimes.contracts import Essence
from runtimes.llm.base import Account
from runtimes.services import Services

GATES_VERSION = "1"
"""Of the rules by which candidates are judged; another one makes what was judged before out of date."""

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
    "novelty": pl.Float64(),
    "expected_pass": pl.Float64(),
    "spec": pl.String(),
}
"""`accepted` is null where nothing final could be said yet."""


@dg.asset(
    partitions_def=ROUNDS,
    group_name="mutation",
    kinds={"polars", "parquet", "openai"},
    code_version=f"{PROMPT_VERSION}-{GATES_VERSION}",
    description="New tasks made from the round's essences, each with its lineage and the verdict of the "
    "gates. Accepted ones wait in the pool for a coming round, which is how the loop closes.",
)
def mutated_tasks(
    context: dg.AssetExecutionContext,
    seed_tasks: pl.DataFrame,
    essences: pl.DataFrame,
    settings: SettingsResource,
    database: DatabaseResource,
    fanout: FanOutResource,
) -> pl.DataFrame:
    values = settings.get()
    asked = proposals(
        [msgspec.convert(row, Essence) for row in essences.iter_rows(named=True)],
        tasks_of(seed_tasks),
        operators(),
        values.mutations_per_essence,
    )

    async def run() -> list[Judgement]:
        async with fanout.services() as services:
            return await judged(asked, services, values, database.get(), context.partition_key)

    with failing_in_words(context):
        judgements = run_stoppable(run, cancelled(context)) if asked else []
    frame = pl.DataFrame([_row(judgement) for judgement in judgements], schema=COLUMNS)
    undecided = frame.filter(pl.col("accepted").is_null())
    if undecided.height:
        context.log.warning(
            "%d candidates are undecided and will be judged when the round is materialized again: %s",
            *(undecided.height, undecided["reason"][0]),
        )
    context.add_output_metadata(
        {
            "accepted": frame.filter(pl.col("accepted")).height,
            "rejected": frame.filter(~pl.col("accepted")).height,
            "undecided": undecided.height,
            "trivial": frame.filter(pl.col("accepted"), pl.col("expected_pass") == 1).height,
            "refused_by": dict(Counter(frame.filter(~pl.col("accepted"))["gate"].to_list())),
            "preview": preview(frame, ["accepted", "operator", "description", "gate", "reason"]),
            "chart": bar_chart("Candidates by operator", _ends(frame, "operator")),
            "gates": bar_chart("Candidates by the gate that decided", _ends(frame, "gate")),
        }
    )
    return frame


async def judged(
    asked: list[Proposal], services: Services, values: Settings, database: Database, round: str
) -> list[Judgement]:
    """Candidates for these proposals, each judged; what was accepted is in the pool when this returns."""
    from adp_assets.mutation.gates.novel import NoveltyGate
    from adp_assets.mutation.novelty.known import index_of_pool

    available = tools_by_type([proposal.parent for proposal in asked], services)
    table = CandidateTable(database, "review" if values.review_required else "pending")
    proposed = await propose(
        asked,
        services.model_for(Account(round=round, stage="mutation")),
        services,
        available,
        at_once=values.synthesis_in_flight,
        avoid=table.rejected_before(round),
    )
    outages = Outages(episode_retry(values))
    at_once = values.max_concurrent_tasks
    redactor = secret_redactor(values)
    policy = PolicyGate(
        values.forbidden_domains,
        redactor,
        allow_private=values.web_allow_private,
        offline=offline_tools(services.toolbox),
    )
    sanity = SanityGate(services, round=round, at_once=at_once, outages=outages)
    trial = TrialGate(
        services,
        Trials(database),
        round=round,
        samples=values.trial_samples,
        at_once=at_once,
        outages=outages,
    )
    index = await asyncio.to_thread(index_of_pool, database)
    async with trial:
        judging = Judging(
            table,
            round,
            cheap=[SchemaGate(), ToolsGate(available), policy],
            novelty=NoveltyGate(index),
            costly=[sanity, trial],
            redactor=redactor,
        )
        return await judging.judge(proposed)


def _ends(frame: pl.DataFrame, column: str) -> dict[str, dict[str, int]]:
    """How many candidates of each value of a column were accepted, rejected and left undecided."""
    words = {True: "accepted", False: "rejected", None: "undecided"}
    return {
        str(name): dict(Counter(words[end] for end in part["accepted"]))
        for (name,), part in frame.group_by(column, maintain_order=True)
    }


def _row(judgement: Judgement) -> dict[str, Any]:
    candidate = judgement.candidate
    parent, task = candidate.proposal.parent, candidate.task
    return {
        "task_id": candidate.task_id,
        "accepted": None if judgement.undecided else judgement.accepted,
        "gate": judgement.gate,
        "reason": judgement.reason,
        "operator": candidate.proposal.operator.name,
        "parent_id": parent.task_id,
        "root_id": parent.lineage.root_id,
        "generation": parent.lineage.generation + 1,
        "task_type": parent.task_type,
        "description": task.description if task else None,
        "novelty": judgement.known.novelty,
        "expected_pass": judgement.known.expected_pass,
        "spec": msgspec.json.encode(task).decode() if task else None,
    }
