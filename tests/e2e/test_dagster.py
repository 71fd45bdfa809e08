"""Rounds in a running Dagster: backfilled, materialized again, stopped in their midst and gone on with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
import pytest

from tests.e2e.dagster_dev import DagsterDev
from tests.e2e.held_model import HeldModel
from tests.e2e.processes import alive, jails_and_browsers
from tests.e2e.project import Row
from tests.e2e.waiting import until

ASSETS = [
    "seed_tasks",
    "code_trajectories",
    "web_trajectories",
    "reasoning_trajectories",
    "essences",
    "mutated_tasks",
    "training_rows",
    "training_dataset",
]
# Starts on a page and runs code, so that both a browser and sandboxes are at work when it is stopped.
ON_PAGE_AND_IN_SANDBOX = {
    "task_type": "reasoning",
    "expected_tools": ["browser", "python_executor"],
    "constraints": {"start_url": "http://shop.test/"},
}


@pytest.fixture(scope="module")
def backfilled(dagster: DagsterDev) -> list[str]:
    """Three rounds of four tasks each, backfilled at once."""
    rounds = ["backfill-1", "backfill-2", "backfill-3"]
    dagster.project.write_tasks("tasks.jsonl", [f"task-{number:02}" for number in range(12)])
    for name in rounds:
        dagster.add_partition("rounds", name)
    assert dagster.backfill_runs_end(dagster.backfill(ASSETS, rounds), len(rounds)) == {"SUCCESS"}
    return rounds


def test_a_backfill_gives_every_round_its_own_share(dagster: DagsterDev, backfilled: list[str]) -> None:
    shares = [dagster.project.episodes(name) for name in backfilled]

    assert [len(share) for share in shares] == [4, 4, 4]
    assert {task_id for share in shares for task_id in share} == {f"task-{n:02}" for n in range(12)}
    assert {row.outcome for share in shares for row in share.values()} == {"solved"}
    assert [dagster.project.frame("training_dataset", name).height for name in backfilled] == [4, 4, 4]


def test_materializing_a_round_again_keeps_its_tasks_and_runs_none(
    dagster: DagsterDev, model: HeldModel, backfilled: list[str]
) -> None:
    name = backfilled[0]
    dagster.project.write_tasks("tasks.jsonl", ["late-0", "late-1"])
    tasks, episodes = dagster.project.frame("seed_tasks", name), dagster.project.episodes(name)
    asked = model.requests.total()

    assert dagster.run_end(dagster.launch_round(name)) == "SUCCESS"

    assert dagster.project.frame("seed_tasks", name).equals(tasks)
    assert dagster.project.episodes(name) == episodes
    assert model.requests.total() == asked


def test_a_round_waits_for_its_turn_in_the_queue_and_can_be_stopped_there(
    dagster: DagsterDev, model: HeldModel, backfilled: list[str]
) -> None:
    files = [dagster.project.write_tasks(f"{name}.jsonl", [f"{name}-0"]) for name in ("first", "second")]
    for name in ("first", "second"):
        dagster.add_partition("rounds", name)
    dagster.add_partition("releases", "meanwhile")
    model.hold("first-0")
    first = dagster.launch_round("first", file=files[0])
    until(lambda: model.waiting == {"first-0"}, "the first round to hold its turn")

    second = dagster.launch_round("second", file=files[1])
    # What needs no turn overtakes it: by then the queue has been looked at.
    assert dagster.run_end(dagster.launch("release", "meanwhile", {})) == "SUCCESS"
    assert dagster.status(second) == "QUEUED"
    dagster.terminate(second)

    assert dagster.run_end(second) == "CANCELED"
    model.release()
    assert dagster.run_end(first) == "SUCCESS"
    assert model.requests["second-0"] == 0


@dataclass
class Standing:
    """A round that stands still: two of its episodes are finished, two wait for the model."""

    round: str
    finished: list[str]
    waiting: list[str]
    processes: list[psutil.Process] = field(default_factory=list)

    def assert_stopped(self) -> None:
        assert self.processes, "nothing was running that could have been left over"
        until(lambda: not any(map(alive, self.processes)), "sandboxes and browsers to end", seconds=20)


@pytest.fixture
def standing(dagster: DagsterDev, model: HeldModel) -> Callable[[str, Callable[[], int]], Standing]:
    """Brings a round to a stand: `start` starts it and gives the id of a process above its own."""

    def bring(name: str, start: Callable[[], int]) -> Standing:
        finished, waiting = [f"{name}-0", f"{name}-1"], [f"{name}-2", f"{name}-3"]
        model.hold(*waiting)
        root = start()
        until(lambda: model.waiting == set(waiting), "the held episodes")
        round = until(lambda: _round_of(dagster, finished), "the finished episodes")
        at_work = jails_and_browsers(root)
        assert all(at_work.values()), at_work
        return Standing(round, finished, waiting, [p for found in at_work.values() for p in found])

    return bring


def _round_of(dagster: DagsterDev, finished: list[str]) -> str | None:
    for planned in dagster.project.platform.rounds.all():
        if set(dagster.project.episodes(planned.name)) == set(finished):
            return planned.name
    return None


def test_a_run_of_the_ui_stops_when_terminated_and_is_gone_on_with(
    dagster: DagsterDev, model: HeldModel, standing: Callable[..., Standing]
) -> None:
    tasks = [f"ui-{number}" for number in range(4)]
    file = dagster.project.write_tasks("ui.jsonl", tasks, **ON_PAGE_AND_IN_SANDBOX)
    runs: list[str] = []

    def start() -> int:
        dagster.add_partition("rounds", "stopped")
        runs.append(dagster.launch_round("stopped", file=file))
        return dagster.pid

    stood = standing("ui", start)
    before = dagster.project.episodes("stopped")
    dagster.terminate(runs[0])

    assert dagster.run_end(runs[0]) == "CANCELED"
    stood.assert_stopped()
    assert model.waiting == set()

    model.release()
    assert dagster.run_end(dagster.launch_round("stopped", file=file)) == "SUCCESS"
    _assert_gone_on(dagster, model, stood, before)


@pytest.mark.parametrize("stop", ["adp cancel", "terminateRun"])
def test_a_round_of_the_command_stops_when_asked_and_is_gone_on_with(
    stop: str, dagster: DagsterDev, model: HeldModel, standing: Callable[..., Standing]
) -> None:
    prefix = stop.replace(" ", "-")
    tasks = [f"{prefix}-{number}" for number in range(4)]
    file = dagster.project.write_tasks(f"{prefix}.jsonl", tasks, **ON_PAGE_AND_IN_SANDBOX)
    commands: list[subprocess.Popen[str]] = []

    def start() -> int:
        commands.append(dagster.project.start_adp("run", file))
        return commands[0].pid

    try:
        stood = standing(prefix, start)
        before = dagster.project.episodes(stood.round)
        (run,) = dagster.runs(stood.round)
        if stop == "adp cancel":
            assert "Asked 1 run(s)" in dagster.project.adp("cancel", stood.round)
        else:
            dagster.terminate(run["runId"])
        said, _ = commands[0].communicate(timeout=30)
    finally:
        commands[0].kill()

    assert (commands[0].returncode, dagster.run_end(run["runId"])) == (130, "CANCELED"), said
    assert f"Round {stood.round} was stopped" in said
    stood.assert_stopped()

    model.release()
    assert f"Going on with round {stood.round}" in dagster.project.adp("run", file)
    _assert_gone_on(dagster, model, stood, before)


def _assert_gone_on(dagster: DagsterDev, model: HeldModel, stood: Standing, before: dict[str, Row]) -> None:
    """All are solved; the finished ones were left alone, the waiting ones run anew, no reply paid twice."""
    after = dagster.project.episodes(stood.round)
    assert {row.outcome for row in after.values()} == {"solved"}
    assert set(after) == {*stood.finished, *stood.waiting}
    assert {task_id: after[task_id] for task_id in stood.finished} == before
    assert [model.requests[task_id] for task_id in stood.finished] == [2, 2]
    assert [model.requests[task_id] for task_id in stood.waiting] == [3, 3]
