"""The asset `mutated_tasks`; the accepted ones are in the pool when it has materialized."""

import asyncio
import hashlib
import time
from collections import Counter
from typing import Any

import dagster as dg
import msgspec
import polars as pl

from adp_assets.display import bar_chart, preview
from adp_assets.intake.frames import tasks_of
from adp_assets.mutation.candidate import Proposal
from adp_assets.mutation.gates.base import GATES_VERSION, Judgement
from adp_assets.mutation.gates.form import SchemaGate, ToolsGate
from adp_assets.mutation.gates.policy import PolicyGate
from adp_assets.mutation.gates.sanity import SanityGate
from adp_assets.mutation.gates.trial import TrialGate
from adp_assets.mutation.gates.tries import Outages
from adp_assets.mutation.judging import Judging
from adp_assets.mutation.operators import operators
from adp_assets.mutation.propose import proposals, propose
from adp_assets.mutation.reach import offline_tools, tools_by_type
from adp_assets.mutation.table import CandidateTable
from adp_assets.rounds import ROUNDS
from adp_assets.stopping import cancelled, failing_in_words
from adp_resources.cancellation import run_stoppable
from adp_resources.database import Database
from adp_resources.replies import asked_once
from adp_resources.resources import DatabaseResource, FanOutResource, episode_retry
from adp_resources.settings import Settings, secret_redactor
from adp_resources.settings_resource import SettingsResource
from adp_resources.trials import Trials
from runtimes.contracts import Essence
from runtimes.llm.base import Account
from runtimes.services import Services

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


def mutated_tasks_asset() -> dg.AssetsDefinition:
    """`mutated_tasks`, its code version that of the gates and of every operator there is."""

    @dg.asset(
        partitions_def=ROUNDS,
        group_name="mutation",
        kinds={"polars", "parquet", "openai"},
        code_version=code_version(),
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
            CandidateTable(database.get()).forget_undecided(context.partition_key, asked)
            judgements = run_stoppable(run, cancelled(context)) if asked else []
        frame = pl.DataFrame([_row(judgement) for judgement in judgements], schema=COLUMNS)
        undecided = frame.filter(pl.col("accepted").is_null())
        if undecided.height:
            context.log.warning(
                "%d candidates are undecided and will be judged when the round is materialized again: %s",
                *(undecided.height, undecided["reason"][0]),
            )
        context.add_output_metadata(_counted(frame) | {"undecided": undecided.height})
        return frame

    return mutated_tasks


def code_version() -> str:
    """What new tasks depend on beside the essences, the model and the settings."""
    versions = [f"{each.name} {each.version}/{each.prompt_version}" for each in operators()]
    digest = hashlib.sha256("\n".join(versions).encode()).hexdigest()[:12]
    return f"gates {GATES_VERSION}, operators {digest}"


async def judged(
    asked: list[Proposal], services: Services, values: Settings, database: Database, round: str
) -> list[Judgement]:
    """Candidates for these proposals, each judged; what was accepted is in the pool when this returns."""
    from adp_assets.mutation.gates.novel import NoveltyGate
    from adp_assets.mutation.novelty.known import index_of_pool

    available = tools_by_type([proposal.parent for proposal in asked], services)
    table = CandidateTable(database, "review" if values.review_required else "pending")
    account = Account(round=round, stage="mutation")
    redactor = secret_redactor(values)
    judgements = await asyncio.to_thread(table.kept, round, asked)
    made = await propose(
        [proposal for proposal in asked if proposal.candidate_id not in judgements],
        asked_once(services.model, services.metering, account, database, redactor),
        services,
        available,
        at_once=values.synthesis_in_flight,
        avoid=table.rejected_before(round),
    )
    judgements |= {candidate.proposal.candidate_id: Judgement(candidate) for candidate in made}
    in_order = [judgements[proposal.candidate_id] for proposal in asked]
    outages = Outages(episode_retry(values))
    at_once = values.max_concurrent_tasks
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
    loaded_at = time.time()
    index = await asyncio.to_thread(index_of_pool, database)
    async with trial:
        judging = Judging(
            table,
            round,
            cheap=[SchemaGate(), ToolsGate(available), policy],
            novelty=NoveltyGate(index, loaded_at),
            costly=[sanity, trial],
            redactor=redactor,
        )
        await judging.judge(in_order)
    return in_order


def _counted(frame: pl.DataFrame) -> dict[str, Any]:
    """What the UI shows of the candidates."""
    accepted, rejected = frame.filter(pl.col("accepted")), frame.filter(~pl.col("accepted"))
    return {
        "accepted": accepted.height,
        "rejected": rejected.height,
        "trivial": accepted.filter(pl.col("expected_pass") == 1).height,
        "refused_by": dict(Counter(rejected["gate"].to_list())),
        "preview": preview(frame, ["accepted", "operator", "description", "gate", "reason"]),
        "chart": bar_chart("Candidates by operator", _ends(frame, "operator")),
        "gates": bar_chart("Candidates by the gate that decided", _ends(frame, "gate")),
    }


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
