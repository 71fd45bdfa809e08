"""A running `dagster dev`, and what its UI does over GraphQL."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.project import Project
from tests.e2e.waiting import until

LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "adp_assets.definitions"}
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}

LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { loadStatus locationOrLoadError {
    __typename ... on PythonError { message } } } } } }"""
ADD_PARTITION = """mutation ($repository: RepositorySelector!, $set: String!, $key: String!) {
    addDynamicPartition(repositorySelector: $repository, partitionsDefName: $set, partitionKey: $key) {
        __typename ... on PythonError { message } } }"""
LAUNCH = """mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } } } }"""
BACKFILL = """mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
BACKFILL_RUNS = """query ($id: String!) {
    runsOrError(filter: {tags: [{key: "dagster/backfill", value: $id}]}) {
        ... on Runs { results { status } } } }"""
RUN_STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
RUNS = """query ($round: String!) { runsOrError(filter: {tags: [{key: "dagster/partition", value: $round}]}) {
    ... on Runs { results { runId status jobName } } } }"""
TERMINATE = """mutation ($id: String!) { terminateRun(runId: $id) {
    __typename ... on TerminateRunFailure { message } ... on PythonError { message } } }"""


@dataclass(frozen=True)
class DagsterDev:
    """The running UI and daemon of a project."""

    url: str
    pid: int
    project: Project

    def ask(self, query: str, **variables: Any) -> Any:
        """The data that a GraphQL query gives. Fails with the server's own words."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self.url}/graphql", body, {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                answer = json.loads(response.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def add_partition(self, partitions: str, key: str) -> None:
        """What the UI's "Add a partition" does; `partitions` is `rounds` or `releases`."""
        added = self.ask(ADD_PARTITION, repository=LOCATION, set=partitions, key=key)["addDynamicPartition"]
        assert added["__typename"] == "AddDynamicPartitionSuccess", added

    def launch_round(self, name: str, *, file: Path | None = None) -> str:
        """Launch the job `round`, over the tasks of `file` alone where it is given; gives the run's id."""
        config = {"task_files": [str(file)], "only_these_files": True} if file else {}
        return self.launch("round", name, {"ops": {"seed_tasks": {"config": config}}})

    def launch(self, job: str, partition: str, run_config: dict[str, Any]) -> str:
        """Launch a job on a partition as the UI's launchpad does; gives the run's id."""
        params = {
            "selector": {**LOCATION, "jobName": job},
            "runConfigData": run_config,
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": partition}]},
        }
        launched = self.ask(LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def backfill(self, assets: Iterable[str], rounds: Iterable[str]) -> str:
        """Launch a backfill as the asset graph's "Materialize" does; gives its id."""
        selection = [{"path": [asset]} for asset in assets]
        params = {"assetSelection": selection, "partitionNames": list(rounds)}
        launched = self.ask(BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return str(launched["backfillId"])

    def backfill_runs_end(self, backfill_id: str, count: int) -> set[str]:
        """Wait for the `count` runs of a backfill; gives their last statuses.

        The backfill's own status follows only at the daemon's next tick, half a minute later.
        """

        def ended() -> set[str] | None:
            runs = self.ask(BACKFILL_RUNS, id=backfill_id)["runsOrError"]["results"]
            statuses = {str(run["status"]) for run in runs}
            return statuses if len(runs) == count and statuses <= ENDED else None

        return until(ended, f"the runs of backfill {backfill_id}", seconds=150)

    def status(self, run_id: str) -> str:
        return str(self.ask(RUN_STATUS, id=run_id)["runOrError"]["status"])

    def run_end(self, run_id: str) -> str:
        """Wait for a run; gives its last status."""
        until(lambda: self.status(run_id) in ENDED, f"the end of run {run_id}", seconds=90)
        return self.status(run_id)

    def runs(self, round: str) -> list[dict[str, str]]:
        """The runs of a round, the newest first."""
        return list(self.ask(RUNS, round=round)["runsOrError"]["results"])

    def terminate(self, run_id: str) -> None:
        """What the UI's "Terminate" button does."""
        terminated = self.ask(TERMINATE, id=run_id)["terminateRun"]
        assert terminated["__typename"] == "TerminateRunSuccess", terminated


@contextmanager
def dagster_dev(project: Project) -> Iterator[DagsterDev]:
    """`dagster dev` in a project until the block is left; then nothing of it runs any more."""
    port = _free_port()
    command = [str(Path(sys.executable).with_name("dagster")), "dev"]
    command += ["-m", "adp_assets.definitions", "-h", "127.0.0.1", "-p", str(port)]
    log = project.folder / "dagster_dev.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=project.folder,
            env=project.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    dev = DagsterDev(f"http://127.0.0.1:{port}", process.pid, project)

    def loaded() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"dagster dev ended with {process.returncode}:\n{log.read_text()[-4000:]}")
        with suppress(OSError):
            entries = dev.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
            wrong = [entry for entry in entries if "message" in (entry["locationOrLoadError"] or {})]
            assert not wrong, wrong
            return bool(entries) and all(entry["loadStatus"] == "LOADED" for entry in entries)
        return False

    try:
        until(loaded, "dagster dev to load the code location", seconds=90)
        yield dev
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process group, kindly first; run workers may have left the group, not the family."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait(timeout=20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
