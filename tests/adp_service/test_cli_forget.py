"""`adp forget` on rounds that `adp run` ran: nothing of the tasks is left, and what held them is listed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from adp_assets.automation import ROUND_JOB
from adp_assets.intake.known import KnownTasks
from adp_assets.intake.pool import TaskPool
from adp_assets.intake.task_files import TaskFiles
from adp_resources.database import Database
from adp_resources.erasure import Erasure
from adp_service.platform import Platform
from runtimes.contracts import Lineage
from tests.adp_assets.tasks import add, task
from tests.adp_service.command import Ended, adp, in_this_process, project
from tests.llm_server.process import ROOT

Forget = Callable[..., Ended]
MARK = "reckon_divisible"
"""A word of the first task that no other has."""


def lines() -> Iterator[dict[str, Any]]:
    """Three of the bundled tasks of code, two of a user who wants to be forgotten."""
    examples = (ROOT / "examples" / "tasks.jsonl").read_text().splitlines()
    tasks = [json.loads(each) for each in examples if '"task_type": "code"' in each]
    abouts = [{"user_id": "ann"}, {"user_id": "ann", "dataset": "puzzles"}, {"user_id": "bob"}]
    for name, about, found in zip(("one", "two", "three"), abouts, tasks, strict=False):
        yield {**found, "task_id": name, "metadata": about}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project where the built-in teacher did three tasks, with a release of them."""
    folder = project(tmp_path_factory.mktemp("forget") / "p", TEACHER_ERROR_RATE=0, MAX_SUCCESS_RATE=1)
    (folder / "tasks.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines()))
    ran = adp(folder, "run", "tasks.jsonl", "--model", "builtin")
    assert ran.code == 0, ran.said
    made = adp(folder, "export", "v1", "--builtin", "--split", "train=1", "--set", "near_duplicates=null")
    assert made.code == 0, made.said
    return folder


@pytest.fixture
def folder(done: Path, tmp_path: Path) -> Path:
    """A copy of that project."""
    copy = tmp_path / "p"
    shutil.copytree(done, copy, symlinks=True)
    (copy / ".env").write_text((done / ".env").read_text().replace(str(done), str(copy)))
    return copy


@pytest.fixture
def forget(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Forget:
    return in_this_process("forget", folder, monkeypatch, capsys)


def task_ids(folder: Path, asset: str) -> set[str]:
    return set(pl.read_parquet(folder / f"output/assets/{asset}/round-0001.parquet")["task_id"])


def pool_of(folder: Path) -> TaskPool:
    return TaskPool(Database(f"sqlite:///{folder / 'output/adp.sqlite'}"))


def remains(folder: Path, *ids: str) -> list[str]:
    """The files that still tell of tasks: by a word of the first, and by the ids of all in frames."""
    found = []
    for path in sorted((folder / "output").rglob("*")):
        kind = path.relative_to(folder / "output").parts[0]
        if not path.is_file() or kind in ("releases", "logs") or path.name.startswith("cache.sqlite"):
            continue
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
            told = "task_id" in frame.columns and set(ids) & set(frame["task_id"])
        else:
            told = MARK.encode() in path.read_bytes()
        if told:
            found.append(str(path.relative_to(folder)))
    return found


def test_a_task_is_gone_from_everything_but_releases_which_are_listed(folder: Path, forget: Forget) -> None:
    assert remains(folder, "one")
    before = (folder / "output/releases/v1/manifest.json").read_bytes()
    ended = forget("--task", "one", "--descendants", "--yes", "--json")
    assert ended.code == 0, ended.said
    assert json.loads(ended.output)["descendants"]  # whose wording holds that of this task
    assert remains(folder, "one") == []
    assert not (folder / "output/trajectories/one.json").exists()
    assert (folder / "output/trajectories/two.json").exists()
    for asset in ("seed_tasks", "code_trajectories", "training_rows", "training_dataset"):
        assert task_ids(folder, asset) == {"two", "three"}
    manifest = json.loads((folder / "output/datasets/round-0001/manifest.json").read_text())
    assert sum(manifest["splits"].values()) == 2
    release = folder / "output/releases/v1"
    assert json.loads(ended.output)["releases"] == {"v1": {"folder": str(release), "rows": 1, "left_out": 0}}
    assert (release / "manifest.json").read_bytes() == before


def test_a_dry_run_shows_what_would_go_and_changes_nothing(folder: Path, forget: Forget) -> None:
    ended = forget("--user", "ann", "--dry-run")
    said = [" ".join(each.split()) for each in ended.output.splitlines()]
    assert "would go 2 tasks" in said
    assert "trajectories 2" in said
    assert "rounds round-0001" in said
    assert any("v1: 2 rows" in each for each in said)
    assert task_ids(folder, "training_rows") == {"one", "two", "three"}
    assert (folder / "output/trajectories/one.json").exists()


def test_a_source_is_a_data_set_or_a_task_file(folder: Path, done: Path, forget: Forget) -> None:
    assert json.loads(forget("--source", "puzzles", "--dry-run", "--json").output)["tasks"] == ["two"]
    read = json.loads(forget("--source", done / "tasks.jsonl", "--dry-run", "--json").output)
    assert {"one", "two", "three"} <= set(read["tasks"])


def test_descendants_are_told_of_and_go_when_asked_for(folder: Path, forget: Forget) -> None:
    child = Lineage(root_id="one", parents=("one",), operator="parameter", generation=1)
    grandchild = Lineage(root_id="other", parents=("child",), operator="parameter", generation=2)
    add(pool_of(folder), task("child", lineage=child), task("grandchild", lineage=grandchild))
    without = json.loads(forget("--task", "one", "--dry-run", "--json").output)
    whole = json.loads(forget("--task", "one", "--dry-run", "--json", "--descendants").output)
    assert {"child", "grandchild"} <= set(without["descendants"]) == set(whole["descendants"])
    assert without["counts"]["tasks of the pool"] == 1
    assert whole["counts"]["tasks of the pool"] > 2
    assert "stay. --descendants takes them, too" in forget("--task", "one", "--dry-run").output


@pytest.mark.parametrize("steps", [2, 4])
def test_killed_after_any_step_it_is_run_again(folder: Path, forget: Forget, steps: int) -> None:
    erasure = Erasure(pool_of(folder).database, folder / "output", ["one"])
    order = [erasure.hide, erasure.erase_files, erasure.erase_rows_of_assets, erasure.erase_episodes]
    for step in order[:steps]:
        step()
    ended = forget("--task", "one", "--descendants", "--yes")
    assert ended.code == 0, ended.said
    assert remains(folder, "one") == []
    assert forget("--task", "one", "--descendants", "--yes").code == 1


def test_all_of_a_source_goes_and_does_not_come_back_by_itself(
    folder: Path, done: Path, forget: Forget
) -> None:
    read = done / "tasks.jsonl"
    ended = forget("--source", read, "--descendants", "--yes")
    assert ended.code == 0, ended.said
    assert remains(folder, "one", "two", "three") == []
    assert task_ids(folder, "training_rows") == set()
    files = TaskFiles(pool_of(folder), folder / "rejected")
    assert files.read(read).accepted == []
    assert files.read(read, KnownTasks(pool_of(folder))).accepted == ["one", "two", "three"]


def test_a_round_that_is_being_run_refuses(folder: Path, forget: Forget) -> None:
    platform = Platform({})  # of the folder that `forget` made the current one
    job = platform.defs.resolve_job_def(ROUND_JOB)
    tags = {"dagster/partition": "round-0001"}
    run = platform.instance.create_run_for_job(job, tags=tags)
    platform.instance.report_engine_event("started by a test", run)
    ended = forget("--task", "one", "--yes")
    assert ended.code == 1
    assert "Round round-0001 is being run by another process" in ended.said
    assert remains(folder, "one")


def test_nobody_is_asked_in_a_pipe(folder: Path, forget: Forget) -> None:
    ended = forget("--task", "one")
    assert ended.code == 1
    assert "Nothing was erased" in ended.said
    assert "--yes" in ended.said
    assert remains(folder, "one")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--task ID, --source NAME and --user ID"),
        (["--task", "one", "--user", "ann"], "Give one of"),
        (["--task", "on"], "Tasks like it: one"),
        (["--source", "nowhere.jsonl"], "Sources: "),
        (["--user", "eve"], "Users with tasks: ann, bob."),
    ],
)
def test_what_nobody_knows_is_told_with_what_there_is(
    forget: Forget, arguments: list[str], said: str
) -> None:
    ended = forget(*arguments, "--yes")
    assert ended.code == 1
    assert said in ended.said


def test_a_frame_that_cannot_be_read_stops_it_before_anything_is_erased(folder: Path, forget: Forget) -> None:
    frame = folder / "output/assets/training_rows/round-0001.parquet"
    frame.write_bytes(frame.read_bytes()[:200])
    ended = forget("--task", "one", "--yes")
    assert ended.code == 1
    assert "training_rows/round-0001.parquet cannot be read" in ended.said
    assert (folder / "output/trajectories/one.json").exists()
