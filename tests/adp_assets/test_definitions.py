"""The definitions as Dagster loads them, and one round materialized through all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from adp_assets.automation import inbox_states, landed, round_config
from adp_assets.definitions import OWNERS, build_defs
from adp_assets.rounds import Rounds
from adp_resources.database import Database
from adp_resources.resources import resources
from runtimes.contracts import trajectory_from_json
from tests.llm_server.process import ROOT, llm_server

LINES = [
    {
        "task_id": f"sum-{n}",
        "task_type": "reasoning",
        "description": f"What is {n} plus {n}? {question['question']}",
        "verifier": {
            "kind": "numeric",
            "spec": {"expected": float(question["answer"].rpartition("#### ")[2])},
        },
    }
    for n, question in enumerate(
        json.loads(line)
        for line in (ROOT / "tests/data/word_problems.jsonl").read_text(encoding="utf-8").splitlines()
    )
]
QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}
STAGES = {
    "seed_tasks": set[str](),
    "code_trajectories": {"seed_tasks"},
    "web_trajectories": {"seed_tasks"},
    "reasoning_trajectories": {"seed_tasks"},
    "dead_letters": {"code_trajectories", "web_trajectories", "reasoning_trajectories"},
    "essences": {"seed_tasks", "code_trajectories", "web_trajectories", "reasoning_trajectories"},
    "mutated_tasks": {"seed_tasks", "essences"},
    "training_rows": {"seed_tasks", "code_trajectories", "web_trajectories", "reasoning_trajectories"},
    "training_dataset": {"training_rows"},
    "dataset_release": {"training_rows"},
}


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_defs()


def test_the_assets_are_the_stages_in_the_order_the_data_travels(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    found = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }
    assert found == STAGES


def test_a_code_server_can_load_them(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_every_asset_has_a_description_a_group_kinds_and_an_owner(defs: dg.Definitions) -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.description
        assert spec.group_name not in {None, "default"}
        assert "parquet" in spec.kinds
        assert list(spec.owners) == OWNERS
        assert (spec.partitions_def is None) == (spec.key.to_user_string() == "dead_letters")


def test_each_task_types_trajectories_wait_for_a_pool_of_their_own(defs: dg.Definitions) -> None:
    pools = {
        name: defs.resolve_asset_graph().get(dg.AssetKey(name)).pools
        for name in STAGES
        if name.endswith("_trajectories")
    }
    assert pools == {f"{kind}_trajectories": {f"{kind}_runtime"} for kind in ("code", "web", "reasoning")}


def test_the_loop_is_driven_by_sensors_that_run_and_a_schedule_that_does_not(defs: dg.Definitions) -> None:
    repository = defs.get_repository_def()
    assert {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs} == {
        "next_round": "RUNNING",
        "inbox": "RUNNING",
    }
    assert {schedule.name: schedule.default_status.value for schedule in repository.schedule_defs} == {
        "daily_synthesis": "STOPPED"
    }


def test_loading_the_definitions_opens_nothing_and_reads_no_environment(tmp_path: Path) -> None:
    program = (
        "import sys, adp_assets.definitions as d; d.build_defs();"
        "print({'playwright', 'openai', 'alembic', 'matplotlib', 'duckdb'} & sys.modules.keys())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"SAMPLES": "not a number", "DATABASE_PATH": "/proc/none", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == "set()\n", ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_round_is_ready_for_the_next_when_all_has_landed_and_nothing_runs() -> None:
    materialized = {"code": {"r1", "r2", "r3", "r4"}, "web": {"r1", "r2", "r3"}}
    state = landed(["r1", "r2", "r3", "r4"], materialized, running={"r2"}, mutated={"r1", "r2", "r4"})
    assert state.ready == ("r1",)
    assert state.waiting == ("r2", "r3", "r4")


def test_a_file_in_the_inbox_is_marked_anew_when_it_grows(tmp_path: Path) -> None:
    assert inbox_states(tmp_path / "missing") == {}
    (tmp_path / "notes.txt").touch()
    (tmp_path / "folder.jsonl").mkdir()
    path = tmp_path / "a.jsonl"
    path.write_text("{}\n")
    before = inbox_states(tmp_path)
    assert before.keys() == {"a.jsonl"}
    path.write_text("{}\n{}\n")
    assert inbox_states(tmp_path) != before


def materialize(project: Path, url: str, name: str = "round-0001") -> dg.ExecuteInProcessResult:
    """One round of the job through a real model server, with every part real but Dagster's instance."""
    overrides = {"project_root": str(project), "vllm_url": url, "llm_retry_initial_seconds": 0.001}
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("rounds", [name])
    job = build_defs(resources(**overrides)).resolve_job_def("round")
    return job.execute_in_process(
        instance=instance,
        partition_key=name,
        run_config={**round_config(samples=2), "loggers": QUIET},
        raise_on_error=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    text = "".join(json.dumps(line) + "\n" for line in LINES)
    (folder / "tasks.jsonl").write_text(text + "a bad line\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def first_run(project: Path) -> dg.ExecuteInProcessResult:
    answers = ROOT / "tests/data/word_problems.jsonl"
    with llm_server("gsm8k", answers=answers, mix="right=1") as server:
        return materialize(project, server.url)


def frame(project: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(project / "output" / "assets" / name / "round-0001.parquet")


def test_a_round_goes_through_every_stage(first_run: dg.ExecuteInProcessResult, project: Path) -> None:
    assert first_run.success
    assert frame(project, "seed_tasks")["task_id"].to_list() == [line["task_id"] for line in LINES]
    assert frame(project, "code_trajectories").is_empty()
    reasoning = frame(project, "reasoning_trajectories")
    assert reasoning.height == 2 * len(LINES)
    assert set(reasoning["outcome"]) == {"solved"}
    assert frame(project, "training_dataset").height == len(LINES), "two equal samples are one row"
    card = (project / "output" / "datasets" / "round-0001" / "README.md").read_text(encoding="utf-8")
    assert "Diversity by round" in card


def test_a_model_that_gives_no_essence_leaves_the_reason_and_no_gap_in_the_round(
    first_run: dg.ExecuteInProcessResult, project: Path
) -> None:
    """The server answers questions for essences with a call of complete_task, which is no JSON object."""
    (event,) = first_run.asset_materializations_for_node("essences")
    assert event.metadata["eligible"].value == len(LINES)
    assert event.metadata["skipped"].value == len(LINES)
    reasons = event.metadata["skipped_why"].value
    assert isinstance(reasons, dict)
    assert reasons.keys() == {line["task_id"] for line in LINES}
    assert frame(project, "essences").is_empty()
    assert frame(project, "mutated_tasks").is_empty()


def test_every_check_of_the_round_was_made_and_passed(first_run: dg.ExecuteInProcessResult) -> None:
    evaluations = first_run.get_asset_check_evaluations()
    assert len(evaluations) > 20
    assert all(evaluation.passed for evaluation in evaluations)


def test_the_ui_is_shown_counts_previews_and_charts(first_run: dg.ExecuteInProcessResult) -> None:
    (event,) = first_run.asset_materializations_for_node("seed_tasks")
    assert (event.metadata["tasks"].value, event.metadata["rejected_lines"].value) == (len(LINES), 1)
    for name in STAGES.keys() - {"dataset_release"}:
        (event,) = first_run.asset_materializations_for_node(name)
        assert {"preview", "chart", "path", "dagster/row_count"} <= event.metadata.keys()


def test_every_trajectory_is_a_file_beside_the_journal(
    first_run: dg.ExecuteInProcessResult, project: Path
) -> None:
    files = sorted((project / "output" / "trajectories").glob("*.json"))
    assert [path.stem for path in files] == sorted(str(line["task_id"]) for line in LINES)
    assert all(trajectory_from_json(path.read_bytes()).success for path in files)


def test_materializing_the_round_again_runs_no_episode_twice(
    first_run: dg.ExecuteInProcessResult, project: Path
) -> None:
    before = frame(project, "reasoning_trajectories")
    with llm_server("gsm8k", answers=ROOT / "tests/data/word_problems.jsonl", mix="wrong=1") as server:
        again = materialize(project, server.url)
    assert again.success
    assert frame(project, "reasoning_trajectories").equals(before)
    assert len(Rounds(Database(f"sqlite:///{project}/output/adp.sqlite")).all()) == 1


def test_a_refused_key_fails_the_step_with_the_cause_and_without_retries(
    first_run: dg.ExecuteInProcessResult, tmp_path: Path
) -> None:
    (tmp_path / "tasks.jsonl").write_text(json.dumps(LINES[0]) + "\n", encoding="utf-8")
    with llm_server("refuse") as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL", "some-model")
        result = materialize(tmp_path, server.url)
        assert server.stats()["replies"]["401"] <= 2, "no more than the two episodes in flight"
    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_key == "reasoning_trajectories"
    said = str(failed.step_failure_data.user_failure_data)
    assert "reasoning tasks of round-0001" in said
    assert "HTTP 401" in said
    assert "Check the API key" in said
