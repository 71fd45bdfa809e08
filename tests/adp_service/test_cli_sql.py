"""`adp sql`: what it knows, what it refuses, and what it does with files that are not as they should be."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from adp_assets.curation.release.manifest import LINEAGE, write_manifest
from adp_assets.execution.frames import trajectory_frame
from adp_assets.intake.pool import TaskPool
from adp_resources.database import Database
from adp_resources.journal import Journal
from adp_resources.parquet import write_frame
from tests.adp_assets.tasks import add, solved, task
from tests.adp_service.command import Ended, in_this_process, project

Sql = Callable[..., Ended]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with two rounds of two types, and a release of the first."""
    folder = project(tmp_path / "p")
    output = folder / "output"
    database = Database(f"sqlite:///{output / 'adp.sqlite'}")
    database.upgrade()
    tasks = {name: task(name) for name in ("a", "b")}
    add(TaskPool(database), *tasks.values())
    journal = Journal(database, output / "trajectories")
    for round, name, kind in (("round-0001", "a", "code"), ("round-0002", "b", "web")):
        trajectory = solved(name, round=round, task_type=kind)
        journal.write(trajectory)
        for each in ("code", "web"):
            frame = trajectory_frame([trajectory] if each == kind else [], tasks)
            write_frame(frame, output / "assets" / f"{each}_trajectories" / f"{round}.parquet", {})
        seeds = pl.DataFrame({"task_id": [name], "parents": [["x", "y"]]})
        write_frame(seeds, output / "assets" / "seed_tasks" / f"{round}.parquet", {})
    database.close()
    release = output / "releases" / "first"
    (release / LINEAGE).parent.mkdir(parents=True)
    kept = pl.DataFrame(
        {"id": ["round-0001/a/0"], "task_id": ["a"], "dropped": [""], "round": ["round-0001"]}
    )
    kept.write_parquet(release / LINEAGE)
    said = {
        "name": "first",
        "made_at": 5.0,
        "rounds": {"round-0001": {}},
        "splits": {"train": 1},
        "funnel": {},
    }
    write_manifest(release, said)
    return folder


@pytest.fixture
def sql(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sql:
    return in_this_process("sql", folder, monkeypatch, capsys)


def found(sql: Sql, query: str) -> list[dict[str, object]]:
    ended = sql(query, "--json")
    assert ended.code == 0, ended.said
    return list(json.loads(ended.output))


def test_trajectories_are_those_of_all_types_and_rounds(sql: Sql) -> None:
    query = "select round, task_type, count(*)::int as n from trajectories group by all order by 1"
    assert found(sql, query) == [
        {"round": "round-0001", "task_type": "code", "n": 1},
        {"round": "round-0002", "task_type": "web", "n": 1},
    ]


def test_a_frame_that_does_not_name_its_round_is_given_it(sql: Sql) -> None:
    rows = found(sql, "select round, task_id, parents from seed_tasks order by round")
    assert rows[1] == {"round": "round-0002", "task_id": "b", "parents": ["x", "y"]}


def test_parquet_and_the_platforms_tables_are_joined(sql: Sql) -> None:
    query = """
        select t.round, p.status, j.finished, json_extract_string(p.spec, '$.description') as task
        from code_trajectories t join POOL_TASKS p using (task_id) join "journal" j using (task_id)
    """
    said = {"round": "round-0001", "status": "pending", "finished": True}
    assert found(sql, query) == [{**said, "task": "Write the function of a."}]


def test_an_empty_table_has_its_columns(sql: Sql) -> None:
    assert found(sql, 'select sum(cost_usd) as usd from llm_calls where "at" > 0') == [{"usd": None}]


def test_releases_and_their_rows(sql: Sql) -> None:
    query = "select r.name, r.rounds, l.task_id from releases r join release_rows l on l.release = r.name"
    assert found(sql, query) == [{"name": "first", "rounds": ["round-0001"], "task_id": "a"}]


def test_without_a_query_the_views_are_listed(sql: Sql) -> None:
    ended = sql("--json")
    assert ended.code == 0, ended.said
    listed = json.loads(ended.output)
    assert listed["trajectories"]["rows"] == 2
    assert listed["pool_tasks"]["rows"] == 2
    assert listed["releases"]["rows"] == listed["release_rows"]["rows"] == 1
    assert listed["seed_tasks"]["columns"] == ["round", "task_id", "parents"]
    assert "document" not in listed["journal"]["columns"]
    assert "release_rows" in sql().output


def test_all_views_can_be_asked_for_in_sql(sql: Sql) -> None:
    names = {str(row["name"]) for row in found(sql, "show tables")}
    assert names >= {"trajectories", "journal", "releases", "release_rows"}


def test_a_table_a_csv_and_a_parquet_file(sql: Sql, folder: Path) -> None:
    query = "select task_id, steps, null as nothing from trajectories order by 1 -- both"
    assert sql(query).output.split() == ["task_id", "steps", "nothing", "a", "2", "b", "2"]
    rows = list(csv.reader(io.StringIO(sql(query, "--csv").output)))
    assert rows == [["task_id", "steps", "nothing"], ["a", "2", ""], ["b", "2", ""]]
    assert sql(query, "--parquet", "found.parquet").code == 0
    assert pl.read_parquet(folder / "found.parquet")["task_id"].to_list() == ["a", "b"]


@pytest.mark.parametrize(
    "query",
    [
        "drop view trajectories",
        "create table mine as select 1",
        "copy (select 1) to 'stolen.csv'",
        "explain analyze copy (select 1) to 'stolen.csv'",
        "select 1; copy (select 1) to 'stolen.csv'",
        "attach 'other.db'",
        "install httpfs",
        "set enable_external_access = true",
    ],
)
def test_nothing_but_one_select_is_taken(sql: Sql, folder: Path, query: str) -> None:
    ended = sql(query)
    assert ended.code == 1
    assert "Only one SELECT" in ended.said
    assert not (folder / "stolen.csv").exists()


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_text('.env')",
        "select * from read_csv('.env')",
        "select * from '.env'",
        "select * from glob('*')",
        "select * from read_parquet('output/releases/*/manifest.json')",
        "select * from trajectories, read_parquet('other.parquet')",
        "select * from sqlite_scan('output/adp.sqlite', 'journal')",
    ],
)
def test_no_other_file_is_read(sql: Sql, folder: Path, query: str) -> None:
    pl.DataFrame({"secret": [1]}).write_parquet(folder / "other.parquet")
    ended = sql(query)
    assert ended.code == 1
    assert not ended.output


def test_an_error_is_duckdbs_with_the_views_there_are(sql: Sql) -> None:
    ended = sql("select * from trajectory")
    assert ended.code == 1
    assert "trajectory does not exist" in ended.said
    assert "code_trajectories" in ended.said
    assert "syntax error" in sql("selec 1").said


def test_a_half_written_file_is_named_and_the_others_are_asked(sql: Sql, folder: Path) -> None:
    half = folder / "output" / "assets" / "code_trajectories" / "round-0002.parquet"
    half.write_bytes(half.read_bytes()[:100])
    ended = sql("select task_id from trajectories order by 1", "--csv")
    assert ended.output.split() == ["task_id", "a", "b"]
    assert str(half) in ended.said


def test_an_older_schema_lacks_columns_and_another_type_is_passed_over(sql: Sql, folder: Path) -> None:
    seeds = folder / "output" / "assets" / "seed_tasks"
    pl.DataFrame({"task_id": ["old"]}).write_parquet(seeds / "round-0000.parquet")
    pl.DataFrame({"task_id": [7]}).write_parquet(seeds / "foreign.parquet")
    newest = seeds / "round-0002.parquet"
    newest.write_bytes(newest.read_bytes())
    ended = sql("select task_id, parents from seed_tasks order by 1", "--json")
    assert [row["task_id"] for row in json.loads(ended.output)] == ["a", "b", "old"]
    assert json.loads(ended.output)[2]["parents"] is None
    assert "foreign.parquet is of another version: task_id of another type" in ended.said


def test_a_half_written_manifest_is_named(sql: Sql, folder: Path) -> None:
    other = folder / "output" / "releases" / "half"
    other.mkdir()
    (other / "manifest.json").write_text('{"name": ')
    ended = sql("select name from releases", "--csv")
    assert ended.output.split() == ["name", "first"]
    assert "half/manifest.json is not whole" in ended.said


def test_paths_that_look_like_patterns_are_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(tmp_path / "it's [mine]*")
    pl.DataFrame({"task_id": ["a"]}).write_parquet(_made(folder / "output/assets/essences") / "r[1].parquet")
    sql = in_this_process("sql", folder, monkeypatch, capsys)
    assert found(sql, "select * from essences") == [{"round": "r[1]", "task_id": "a"}]


def test_a_new_project_has_tables_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = in_this_process("sql", project(tmp_path / "p"), monkeypatch, capsys)
    assert found(sql, "select count(*)::int as n from journal") == [{"n": 0}]
    assert sql().code == 0


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
