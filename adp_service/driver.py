"""Driving rounds: runs Dagster's round job in this process, so that the UI shows what the command does."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg
import psutil
import sqlalchemy as sa

from adp_assets.automation import DEAD_LETTERS_JOB, FINISHED, RELEASE_JOB, ROUND_JOB, round_config
from adp_assets.execution.assets import asset_name
from adp_assets.mutation.table import CandidateTable
from adp_assets.rounds import IMPORT, ROUNDS, Round, next_name
from adp_resources.run_launcher import COMMAND_TAG
from adp_resources.tables import pool_tasks, round_tasks
from adp_service.platform import Platform
from runtimes.errors import BudgetSpent, ConfigurationError, ModelRefused
from runtimes.registry import task_types

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
ROWS, DATASET = "training_rows", "training_dataset"
LAST_ASSETS = (dg.AssetKey("mutated_tasks"), dg.AssetKey(DATASET))


@dataclass(frozen=True)
class Ran:
    """How one round's run ended; `failure` is what a person should read, empty when it went well.

    `refused` tells that the model's server refuses every request, so that no other round can do better;
    `stopped` says what kept it from running or judging all, such as a spent budget.
    """

    round: str
    run_id: str
    failure: str = ""
    cancelled: bool = False
    refused: bool = False
    stopped: str = ""

    @property
    def ok(self) -> bool:
        return not self.failure and not self.cancelled and not self.stopped


@dataclass(frozen=True)
class Unfinished:
    """A round to go on with: it has work left, or so many dead letters that a person put back."""

    round: Round
    put_back: int = 0


def run_round(platform: Platform, name: str, seed_tasks: Mapping[str, Any]) -> Ran:
    """Materialize every stage of a round; what an earlier try finished is kept."""
    _add_round(platform.instance, name)
    ran = _execute(platform, ROUND_JOB, name, {**round_config(**seed_tasks), **QUIET})
    return ran if ran.stopped or ran.cancelled else replace(ran, stopped=why_stopped(platform, name))


def why_stopped(platform: Platform, name: str) -> str:
    """What kept a round from being run, or its new tasks from being judged, to the end; empty for nothing."""
    undecided = CandidateTable(platform.database).undecided(name)
    return platform.journal.why_stopped(name) or undecided.get(name, "")


def run_release(platform: Platform, name: str, recipe: Mapping[str, Any]) -> Ran:
    """Materialize `dataset_release` under a name."""
    platform.instance.add_dynamic_partitions("releases", [name])
    config = {"ops": {"dataset_release": {"config": {"recipe": json.dumps(recipe)}}}}
    return _execute(platform, RELEASE_JOB, name, {**config, **QUIET})


def refresh_round(platform: Platform, name: str) -> Ran:
    """Make the trajectory assets and the dataset of a round anew from the journal; no episode is run."""
    trajectories = [asset_name(kind) for kind in task_types()]
    config = {"ops": {asset: {"config": {"run": False}} for asset in trajectories}}
    again = [dg.AssetKey(asset) for asset in (*trajectories, ROWS, DATASET)]
    return _execute(platform, ROUND_JOB, name, {**config, **QUIET}, again)


def make_rows(platform: Platform, name: str) -> Ran:
    """Make the training rows of a round anew from its trajectories; no episode is run."""
    return _execute(platform, ROUND_JOB, name, QUIET, [dg.AssetKey(ROWS)])


def show_imported(platform: Platform, name: str) -> Ran:
    """Materialize what a round of imported trajectories has: its tasks, trajectories, rows and dataset."""
    _add_round(platform.instance, name)
    trajectories = [asset_name(kind) for kind in task_types()]
    config = {"ops": {asset: {"config": {"run": False}} for asset in trajectories}}
    assets = [dg.AssetKey(asset) for asset in ("seed_tasks", *trajectories, ROWS, DATASET)]
    return _execute(platform, ROUND_JOB, name, {**config, **QUIET}, assets)


def refresh_dead_letters(platform: Platform) -> None:
    """Let the UI show the dead letters as they stand, after a person decided about some."""
    _execute(platform, DEAD_LETTERS_JOB, None, QUIET)


def _execute(
    platform: Platform,
    job_name: str,
    partition: str | None,
    run_config: dict[str, Any],
    assets: list[dg.AssetKey] | None = None,
) -> Ran:
    """Run a job, or only these assets of it."""
    job = platform.defs.resolve_job_def(job_name)
    result = job.execute_in_process(
        instance=platform.instance,
        partition_key=partition,
        run_config=run_config,
        asset_selection=assets,
        tags={COMMAND_TAG: _this_process()},
        raise_on_error=False,
    )
    run = platform.instance.get_run_by_id(result.run_id)
    cancelled = run is not None and run.status == dg.DagsterRunStatus.CANCELED
    failure = "" if result.success else failure_of(result)
    if _caused_by(result, BudgetSpent):
        return Ran(partition or "", result.run_id, cancelled=cancelled, stopped=failure)
    return Ran(partition or "", result.run_id, failure, cancelled, _caused_by(result, ModelRefused))


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """Why the run failed, in the words of the checks or the step that did."""
    if said := "; ".join(_said_no(each) for each in result.get_asset_check_evaluations() if _stops(each)):
        return f"{said}."
    for event in result.all_events:
        if event.is_step_failure and (error := event.step_failure_data.error):
            cause = error.cause or error
            metadata = event.step_failure_data.user_failure_data
            return str((metadata.description if metadata else None) or cause.message).strip()
    return "The run failed; `adp ui` shows its log."


def _stops(check: dg.AssetCheckEvaluation) -> bool:
    return bool(check.blocking) and not check.passed and check.severity == dg.AssetCheckSeverity.ERROR


def _said_no(check: dg.AssetCheckEvaluation) -> str:
    """What a check found, and the first of what it found it in."""
    offending = check.metadata.get("offending")
    found = f" (such as {offending.value})" if offending else ""
    return f"check {check.check_name} of {check.asset_key.to_user_string()}: {check.description}{found}"


def _caused_by(result: dg.ExecuteInProcessResult, kind: type[Exception]) -> bool:
    """Whether a step failed by an error of this class; Dagster keeps an error by the name of its class."""
    for event in result.all_events:
        error = event.step_failure_data.error if event.is_step_failure else None
        while error:
            if error.cls_name == kind.__name__:
                return True
            error = error.cause
    return False


def bury_dead_runs(platform: Platform) -> list[str]:
    """Mark runs whose `adp run` is gone as failed, so that they hold no pool; gives their rounds.

    A killed process leaves its run "started" for ever, and Dagster cannot know better.
    """
    buried = []
    for run in _open_runs(platform.instance):
        if is_interrupted(run):
            platform.instance.report_run_failed(run, "The `adp run` that executed it is gone.")
            platform.instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            buried.append(run.tags.get("dagster/partition", run.run_id))
    return buried


def is_interrupted(run: dg.DagsterRun) -> bool:
    """Whether the `adp run` that executed it is gone, though Dagster takes it for one that goes on."""
    mark = run.tags.get(COMMAND_TAG)
    return mark is not None and run.status not in FINISHED and not _alive(mark)


def cancel_round(platform: Platform, name: str) -> int:
    """Ask every run of a round to stop; gives their number."""
    bury_dead_runs(platform)
    runs = [run for run in _open_runs(platform.instance) if run.tags.get("dagster/partition") == name]
    for run in runs:
        platform.instance.run_coordinator.cancel_run(run.run_id)
    return len(runs)


def unfinished(platform: Platform, sources: set[str]) -> list[Unfinished]:
    """Rounds with work left, oldest first.

    These are the rounds of an earlier command that were not seen to the end, stopped when a budget was spent
    or have candidates that could not be judged; with `sources`, only those that have tasks of these files.
    And rounds of anybody's in which a person put dead letters back. Raises ConfigurationError when another
    process is working on one of them.
    """
    done = completed(platform)
    busy = being_run(platform)
    letters = platform.dead_letters.in_rounds("retry")
    journal = platform.journal
    undecided = CandidateTable(platform.database).undecided().keys()
    whole = done - undecided - {name for name in journal.given_up() if journal.why_stopped(name)}
    found = []
    for planned in platform.rounds.all():
        left = Unfinished(planned, letters.get(planned.name, 0) if planned.name in done else 0)
        if not left.put_back and not _was_left(platform, planned, whole, sources):
            continue
        refuse_if_run(planned.name, busy)
        found.append(left)
    return found


def being_run(platform: Platform) -> set[str]:
    """The rounds and releases that runs which are not over are of."""
    return {run.tags.get("dagster/partition", "") for run in _open_runs(platform.instance)}


def refuse_if_run(name: str, busy: set[str]) -> None:
    """Raise ConfigurationError for a round that is among those being run."""
    if name in busy:
        raise ConfigurationError(
            f"Round {name} is being run by another process.",
            f"Wait for it, or stop it: adp cancel {name}.",
        )


def held_tasks(platform: Platform) -> dict[str, str]:
    """Tasks with episodes still to come in rounds planned before, and one such round of each.

    An imported round has none to come.
    """
    done = completed(platform)
    put_back = platform.dead_letters.in_rounds("retry")
    held: dict[str, str] = {}
    for planned in platform.rounds.all():
        if planned.driver == IMPORT:
            continue
        if planned.name not in done or planned.name in put_back or why_stopped(platform, planned.name):
            held |= dict.fromkeys(platform.rounds.reasons(planned.name), planned.name)
    return held


def newest_round(platform: Platform, sources: set[str]) -> Round | None:
    """The last round that a command planned; with `sources`, the last that has tasks of these files."""
    for planned in reversed(platform.rounds.all()):
        if planned.driver == "command" and (not sources or sources & _sources(platform, planned.name)):
            return planned
    return None


def completed(platform: Platform) -> set[str]:
    """The rounds that went through every stage, though `why_stopped` may tell of work that is left."""
    return set.intersection(*(platform.instance.get_materialized_partitions(key) for key in LAST_ASSETS))


def with_dataset(platform: Platform) -> set[str]:
    """The rounds that have a dataset, whatever else of them is missing."""
    return platform.instance.get_materialized_partitions(dg.AssetKey(DATASET))


def _was_left(platform: Platform, planned: Round, whole: set[str], sources: set[str]) -> bool:
    if planned.driver != "command" or planned.name in whole:
        return False
    return not sources or bool(sources & _sources(platform, planned.name))


def new_round_name(platform: Platform) -> str:
    """Take a name that no round has had, in the database or in Dagster."""
    instance = platform.instance
    # Dagster says nothing when a partition is there already, so that two commands would share one round.
    with (platform.settings.path(platform.settings.dagster_home) / "rounds.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        while True:
            partitions = instance.get_dynamic_partitions(str(ROUNDS.name))
            name = next_name(platform.rounds.names_taken(partitions))
            if _add_round(instance, name):
                return name


def _add_round(instance: dg.DagsterInstance, name: str) -> bool:
    """Make the round known to Dagster; False when another process did so in this very moment."""
    try:
        instance.add_dynamic_partitions(str(ROUNDS.name), [name])
    except sa.exc.IntegrityError:
        if name not in instance.get_dynamic_partitions(str(ROUNDS.name)):
            raise
        return False
    return True


def _sources(platform: Platform, name: str) -> set[str]:
    query = (
        sa.select(pool_tasks.c.source)
        .distinct()
        .join(round_tasks, round_tasks.c.task_id == pool_tasks.c.task_id)
        .where(round_tasks.c.round == name)
    )
    with platform.database.read() as connection:
        return set(connection.execute(query).scalars())


def _open_runs(instance: dg.DagsterInstance) -> Iterator[dg.DagsterRun]:
    statuses = [status for status in dg.DagsterRunStatus if status not in FINISHED]
    yield from instance.get_runs(dg.RunsFilter(statuses=statuses))


def _this_process() -> str:
    pid = os.getpid()
    return f"{pid}@{psutil.Process(pid).create_time():.2f}"


def _alive(mark: str) -> bool:
    """Whether the process that left this mark still runs; a process id alone may have been given anew.

    A killed process that its parent has not taken notice of keeps its id, and runs no more.
    """
    pid, _, started = mark.partition("@")
    try:
        process = psutil.Process(int(pid))
        return f"{process.create_time():.2f}" == started and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return False
