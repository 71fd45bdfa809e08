"""A line under a known id: told where it differs, and taken where files are to be run anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adp_assets.intake.known import KnownTasks
from adp_assets.intake.pool import TaskPool
from adp_assets.intake.task_files import TaskFiles
from adp_assets.rounds import Plan, Rounds
from runtimes.contracts import Lineage, TaskSpec
from tests.adp_assets.tasks import add, task


def line(task_id: str, description: str = "Write it.", **fields: Any) -> str:
    return json.dumps({"task_id": task_id, "task_type": "code", "description": description, **fields}) + "\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasks.jsonl"


@pytest.fixture
def reader(pool: TaskPool, tmp_path: Path) -> TaskFiles:
    return TaskFiles(pool, tmp_path / "rejected")


def in_pool(pool: TaskPool, task_id: str) -> TaskSpec:
    found = pool.get(task_id)
    assert found is not None
    return found


def test_of_known_ids_those_that_differ_are_told_and_nothing_changes(
    reader: TaskFiles, pool: TaskPool, path: Path
) -> None:
    path.write_text(line("a") + line("b"))
    reader.read(path)
    path.write_text(line("a") + line("b", constraints={"allowed_domains": ["shop.test"]}))
    report = reader.read(path)
    assert report.duplicates == [(1, "a"), (2, "b")]
    assert report.differing == [(2, "b")]
    assert in_pool(pool, "b").constraints == {}


def test_another_default_timeout_makes_no_line_differ(pool: TaskPool, path: Path, tmp_path: Path) -> None:
    path.write_text(line("a"))
    TaskFiles(pool, tmp_path, default_timeout=10).read(path)
    path.write_text(line("b") + line("a"))
    assert TaskFiles(pool, tmp_path, default_timeout=20).read(path).differing == []


def test_again_takes_the_files_version_though_its_lines_were_read_before(
    reader: TaskFiles, pool: TaskPool, path: Path
) -> None:
    path.write_text(line("a") + line("b"))
    reader.read(path)
    Rounds(pool.database).plan("round-0001", Plan())
    path.write_text(line("a", "Write it well.", priority=7) + line("b"))
    reader.read(path)
    report = reader.read(path, again=KnownTasks(pool))
    assert (report.replaced, report.duplicates, report.refused) == (["a"], [], [])
    assert in_pool(pool, "a").description == "Write it well."
    Rounds(pool.database).plan("round-0002", Plan(again=True))
    assert list(Rounds(pool.database).reasons("round-0002")) == ["a", "b"]  # 7 comes before 1


def test_again_runs_a_known_task_of_the_file_that_has_it_now(
    reader: TaskFiles, pool: TaskPool, path: Path
) -> None:
    path.write_text(line("a") + line("b"))
    reader.read(path)
    Rounds(pool.database).plan("round-0001", Plan())
    other = path.with_name("other.jsonl")
    other.write_text(line("b"))
    reader.read(other, again=KnownTasks(pool))
    Rounds(pool.database).plan("round-0002", Plan(again=True, sources=(str(other),)))
    assert list(Rounds(pool.database).reasons("round-0002")) == ["b"]


def test_again_leaves_what_cannot_be_replaced_and_says_why(
    reader: TaskFiles, pool: TaskPool, path: Path
) -> None:
    add(
        pool,
        task("made", lineage=Lineage(root_id="seed", parents=("seed",), operator="reword", generation=1)),
        task("held"),
        task("web", task_type="web"),
    )
    path.write_text(line("made") + line("held") + line("web"))
    report = reader.read(path, again=KnownTasks(pool, {"held": "round-0007"}))
    assert [number for number, _ in report.refused] == [1, 2, 3]
    reasons = [reason for _, reason in report.refused]
    assert "made from seed" in reasons[0]
    assert "round-0007, which has it, is not finished" in reasons[1]
    assert "type web" in reasons[2]
    assert report.replaced == []
    assert in_pool(pool, "held").description == "Write the function of held."


def test_of_two_lines_with_one_id_the_first_counts_again(
    reader: TaskFiles, pool: TaskPool, path: Path
) -> None:
    path.write_text(line("a") + line("a", "Another."))
    reader.read(path)
    report = reader.read(path, again=KnownTasks(pool))
    assert (report.duplicates, report.replaced) == ([(2, "a")], [])
    assert in_pool(pool, "a").description == "Write it."
