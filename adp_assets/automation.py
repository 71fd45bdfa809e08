"""What starts rounds without a person: the job of one round, the sensors, the daily schedule."""

import contextlib
import json
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from adp_assets.execution.assets import asset_name
from adp_assets.intake.pool import TaskPool
from adp_assets.mutation.table import CandidateTable
from adp_assets.rounds import ROUNDS, Round, Rounds, may_follow, next_name
from adp_assets.selection.drying import proposals_of
from adp_resources.resources import DatabaseResource
from adp_resources.settings import Settings
from adp_resources.settings_resource import SettingsResource
from adp_resources.usage import UsageTable

ROUND_JOB = "round"
RELEASE_JOB = "release"
DEAD_LETTERS_JOB = "list_dead_letters"
EVENTS_A_TICK = 1_000
FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def round_job(task_types: tuple[str, ...]) -> Any:
    """The job that takes one round through every stage."""
    return dg.define_asset_job(
        ROUND_JOB,
        selection=dg.AssetSelection.assets("seed_tasks", *map(asset_name, task_types))
        | dg.AssetSelection.assets(
            *("dead_letters", "essences", "mutated_tasks", "training_rows", "training_dataset")
        ),
        description="One round: tasks, trajectories, essences, mutated tasks, training rows and dataset.",
    )


def release_job() -> Any:
    """The job that makes one release."""
    return dg.define_asset_job(
        RELEASE_JOB,
        selection=dg.AssetSelection.assets("dataset_release"),
        description="One dataset release over rounds.",
    )


def dead_letters_job() -> Any:
    """The job that shows the dead letters as they stand."""
    return dg.define_asset_job(
        DEAD_LETTERS_JOB,
        selection=dg.AssetSelection.assets("dead_letters"),
        description="The dead letters as they stand; rounds and `adp dlq` run it, too.",
    )


def round_config(**seed_tasks: Any) -> dict[str, Any]:
    """The run configuration of a round's job; arguments as in `RoundConfig`."""
    return {"ops": {"seed_tasks": {"config": seed_tasks}}}


@dataclass(frozen=True)
class Landed:
    """Which rounds have every trajectory asset, and which of these are ready for a successor."""

    ready: tuple[str, ...]
    waiting: tuple[str, ...]


def landed(
    rounds: Iterable[str], materialized: Mapping[str, set[str]], running: set[str], mutated: set[str]
) -> Landed:
    """Sort rounds into those whose trajectories have all landed and those to look at again.

    `materialized` are the rounds each trajectory asset has, `running` the rounds a run is working on,
    `mutated` those whose new tasks are all judged. A round waits while its run goes on or its mutation is
    due.
    """
    ready, waiting = [], []
    for name in rounds:
        complete = all(name in partitions for partitions in materialized.values())
        if complete and name in mutated and name not in running:
            ready.append(name)
        else:
            waiting.append(name)
    return Landed(tuple(ready), tuple(waiting))


def next_round_sensor(task_types: tuple[str, ...], job: Any) -> dg.SensorDefinition:
    """Plans the round after one whose trajectories have landed."""
    keys = [dg.AssetKey(asset_name(kind)) for kind in task_types]

    @dg.sensor(
        name="next_round",
        job=job,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="When a round's trajectories have landed and its new tasks are in the pool, starts the "
        "next round: within MAX_ROUNDS and MAX_ROUND_COST_USD, and while as many proposals are new as "
        "MIN_NOVELTY says, unless FEEDBACK_ENABLED is off. "
        "Rounds that `adp run` drives are its own to follow.",
    )
    def next_round(
        context: dg.SensorEvaluationContext, settings: SettingsResource, database: DatabaseResource
    ) -> dg.SensorResult | dg.SkipReason:
        values = settings.get()
        if not values.feedback_enabled:
            return dg.SkipReason("FEEDBACK_ENABLED is off.")
        cursor = json.loads(context.cursor) if context.cursor else {"after": {}, "waiting": []}
        seen = _new_events(context.instance, keys, cursor["after"])
        undecided = CandidateTable(database.get()).undecided()
        mutated = context.instance.get_materialized_partitions(dg.AssetKey("mutated_tasks"))
        state = landed(
            dict.fromkeys([*cursor["waiting"], *seen]),
            {key.to_user_string(): context.instance.get_materialized_partitions(key) for key in keys},
            _rounds_in_progress(context.instance),
            mutated - undecided.keys(),
        )
        rounds = Rounds(database.get())
        known = rounds.names_taken(context.instance.get_dynamic_partitions("rounds"))
        requests: list[dg.RunRequest] = []
        refused = [
            f"{name}: {undecided[name]} Materialize it again"
            for name in state.waiting
            if name in undecided and name in mutated
        ]
        for name in state.ready:
            reason = _why_not(name, rounds, database, values)
            if reason:
                refused.append(f"{name}: {reason}")
                continue
            following = next_name(known)
            known.add(following)
            requests.append(
                dg.RunRequest(
                    run_key=f"{following} after {name}",
                    partition_key=following,
                    run_config=round_config(follows=name, driver="sensor"),
                )
            )
        context.update_cursor(json.dumps({"after": cursor["after"], "waiting": state.waiting}))
        if not requests:
            return dg.SkipReason("; ".join(refused) or "No round's trajectories have newly landed.")
        names = [str(request.partition_key) for request in requests]
        return dg.SensorResult(
            run_requests=requests, dynamic_partitions_requests=[ROUNDS.build_add_request(names)]
        )

    return next_round


def inbox_sensor(job: Any) -> dg.SensorDefinition:
    """Starts a round for every task file that is put, or grows, in the inbox folder."""

    @dg.sensor(
        name="inbox",
        job=job,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a round for each new or changed *.jsonl file in INBOX_DIR.",
    )
    def inbox(
        context: dg.SensorEvaluationContext, settings: SettingsResource, database: DatabaseResource
    ) -> dg.SensorResult | dg.SkipReason:
        values = settings.get()
        folder = values.path(values.inbox_dir)
        seen: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
        states = inbox_states(folder)
        changed = [name for name, state in states.items() if seen.get(name) != state]
        context.update_cursor(json.dumps(states))
        if not changed:
            return dg.SkipReason(f"Nothing new in {folder}.")
        partitions = context.instance.get_dynamic_partitions("rounds")
        following = next_name(Rounds(database.get()).names_taken(partitions))
        request = dg.RunRequest(
            run_key=f"{following} inbox " + " ".join(f"{name}@{states[name]}" for name in changed),
            partition_key=following,
            run_config=round_config(task_files=[str(folder / name) for name in changed], driver="sensor"),
        )
        return dg.SensorResult(
            run_requests=[request], dynamic_partitions_requests=[ROUNDS.build_add_request([following])]
        )

    return inbox


def inbox_states(folder: Path) -> dict[str, str]:
    """Each task file of the inbox with a mark that changes when the file does."""
    if not folder.is_dir():
        return {}
    states: dict[str, str] = {}
    for path in sorted(folder.glob("*.jsonl")):
        # Whoever put a file there may take it away again in between.
        with contextlib.suppress(FileNotFoundError):
            state = path.stat()
            if stat.S_ISREG(state.st_mode):
                states[path.name] = f"{state.st_size}-{state.st_mtime_ns}"
    return states


def daily_schedule(job: Any) -> dg.ScheduleDefinition:
    """A round a day of whatever waits in the pool; off until somebody turns it on."""

    @dg.schedule(
        name="daily_synthesis",
        job=job,
        cron_schedule="0 3 * * *",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Every day at 03:00 a round of the tasks that wait in the pool or in TASK_FILE.",
    )
    def daily_synthesis(
        context: dg.ScheduleEvaluationContext, database: DatabaseResource, settings: SettingsResource
    ) -> Sequence[dg.RunRequest] | dg.SkipReason:
        values = settings.get()
        has_file = values.path(values.task_file).exists()
        if not has_file and not TaskPool(database.get()).pending():
            return dg.SkipReason("No task waits in the pool, and there is no task file.")
        day = context.scheduled_execution_time.strftime("%Y-%m-%d")
        name = f"daily-{day}"
        context.instance.add_dynamic_partitions("rounds", [name])
        return [dg.RunRequest(run_key=name, partition_key=name, run_config=round_config(driver="sensor"))]

    return daily_synthesis


def _new_events(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey], after: dict[str, int]
) -> list[str]:
    """Rounds of trajectory materializations not seen before; `after` is moved past them, asset by asset."""
    found: list[str] = []
    for key in keys:
        name = key.to_user_string()
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, after_storage_id=after.get(name)),
            limit=EVENTS_A_TICK,
            ascending=True,
        ).records
        found += [record.partition_key for record in records if record.partition_key]
        if records:
            after[name] = records[-1].storage_id
    return found


def _rounds_in_progress(instance: dg.DagsterInstance) -> set[str]:
    # Of whatever job: a backfill of assets runs rounds under a job of Dagster's own.
    runs = instance.get_runs(
        dg.RunsFilter(statuses=[status for status in dg.DagsterRunStatus if status not in FINISHED])
    )
    return {run.tags["dagster/partition"] for run in runs if "dagster/partition" in run.tags}


def _why_not(name: str, rounds: Rounds, database: DatabaseResource, values: Settings) -> str | None:
    planned: Round | None = rounds.get(name)
    if planned is None:
        return "it was never planned"
    if planned.driver == "command":
        return "`adp run` drives it"
    if follower := rounds.follower(name):
        return f"{follower} follows already"
    if stopped := database.journal().why_stopped(name):
        return f"it stopped before all was run: {stopped}"
    spent = UsageTable(database.get()).of_rounds(link.name for link in rounds.chain(name))
    pool = TaskPool(database.get())
    return may_follow(
        planned,
        pending=pool.pending(),
        in_review=pool.in_review(),
        spent_usd=spent.cost_usd,
        max_spend_usd=values.max_round_cost_usd,
        tokens=spent.tokens,
        max_tokens=values.round_token_limit,
        acceptance=database.journal().acceptance(name),
        proposals=proposals_of(database.get(), name),
        min_novelty=values.min_novelty,
    )
