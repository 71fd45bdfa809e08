"""What goes with a task: its own pictures, files and rows, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from adp_assets.intake.pool import TaskPool
from adp_resources.database import Database
from adp_resources.erasure import FORGOTTEN, Erasure
from adp_resources.journal import Journal
from adp_resources.parquet import write_frame
from adp_resources.tables import pool_tasks
from adp_resources.trials import Trials
from runtimes.contracts import WebRecord
from runtimes.errors import ConfigurationError
from runtimes.web.page.screenshots import FOLDER, ScreenshotStore
from tests.adp_assets.tasks import add, solved, step, task


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.fixture
def database(output: Path) -> Database:
    database = Database(f"sqlite:///{output / 'adp.sqlite'}")
    database.upgrade()
    add(TaskPool(database), task("a"), task("a-1"), task("b"))
    return database


def shown(output: Path, jpeg: bytes) -> WebRecord:
    """A picture that a step showed."""
    return WebRecord(screenshot=ScreenshotStore(output / "trajectories" / FOLDER).put(jpeg))


def pictures(output: Path) -> set[bytes]:
    return {path.read_bytes() for path in output.glob(f"trajectories/{FOLDER}/*/*.jpg")}


def test_a_picture_goes_with_the_last_trajectory_that_shows_it(output: Path, database: Database) -> None:
    journal = Journal(database, output / "trajectories")
    own, both, tried = (shown(output, name) for name in (b"own", b"both", b"tried"))
    steps = [step(1, "browser", "{}", "page"), step(2, "browser", "{}", "page")]
    steps[0].web, steps[1].web = own, both
    journal.write(solved("a", steps=steps))
    other = step(1, "browser", "{}", "page")
    other.web = both
    journal.write(solved("b", steps=[other]))
    trial = step(1, "browser", "{}", "page")
    trial.web = tried
    Trials(database).write(task("b"), solved("b", steps=[trial], sample=1000))

    Erasure(database, output, ["a"]).erase_files()
    assert pictures(output) == {b"both", b"tried"}
    erasure = Erasure(database, output, ["a", "b"])
    assert erasure.counts()["pictures"] == 2
    erasure.erase_files()
    assert pictures(output) == set()


def test_files_of_tasks_whose_names_begin_the_same_stay(output: Path, database: Database) -> None:
    journal = Journal(database, output / "trajectories")
    for name in ("a", "a-1"):
        for sample in (0, 1):
            journal.write(solved(name, sample=sample))
            trace = output / "traces" / "round-0001" / f"{name}-{sample}.zip"
            trace.parent.mkdir(parents=True, exist_ok=True)
            trace.write_bytes(b"trace")
    erasure = Erasure(database, output, ["a"])
    assert erasure.counts()["files"] == 4
    erasure.erase_files()
    left = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert {each for each in left if not each.startswith("adp.sqlite")} == {
        "trajectories/a-1.json",
        "trajectories/a-1.samples/1.json",
        "traces/round-0001/a-1-0.zip",
        "traces/round-0001/a-1-1.zip",
    }


def test_frames_keep_schema_metadata_and_the_rows_of_others(output: Path, database: Database) -> None:
    Journal(database, output / "trajectories").write(solved("a"))
    assets = output / "assets"
    frame = pl.DataFrame(
        {"task_id": ["a", "b"], "bands": [[1, 2], [3, 4]]}, schema_overrides={"bands": pl.Array(pl.UInt64, 2)}
    )
    for name in ("training_rows/round-0001", "training_rows/round-0002", "dead_letters/all"):
        write_frame(frame, assets / f"{name}.parquet", {"run_id": "run", "asset": "training_rows"})
    write_frame(pl.DataFrame({"other": [1]}), assets / "without" / "round-0001.parquet", {})

    erasure = Erasure(database, output, ["a"])
    assert erasure.counts()["rows of assets"] == 2
    erasure.erase_rows_of_assets()
    for path in (assets / "dead_letters" / "all.parquet", assets / "training_rows" / "round-0001.parquet"):
        assert pl.read_parquet(path).to_dicts() == [{"task_id": "b", "bands": [3, 4]}]
    assert pl.read_parquet_schema(path) == frame.schema
    assert pl.read_parquet_metadata(path)["run_id"] == "run"
    assert pl.read_parquet(assets / "training_rows" / "round-0002.parquet").height == 2  # not of its rounds


def test_what_killed_writers_left_goes_too(output: Path, database: Database) -> None:
    Journal(database, output / "trajectories").write(solved("a"))
    names = ("assets/essences/.round-0001.parquet.0a1b2c3d.tmp", "datasets/.round-0001.old/part.parquet")
    names = (*names, "releases/.v1.0a1b2c3d.tmp/part.parquet", "datasets/.round-0002.old/part.parquet")
    for name in names:
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_bytes(b"half")
    Erasure(database, output, ["a"]).erase_files()
    assert [name for name in names if (output / name).exists()] == [names[-1]]


def test_a_frame_that_cannot_be_read_is_named(output: Path, database: Database) -> None:
    Journal(database, output / "trajectories").write(solved("a"))
    half = output / "assets" / "essences" / "round-0001.parquet"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"PAR1 half")
    with pytest.raises(ConfigurationError, match=r"essences/round-0001\.parquet cannot be read"):
        Erasure(database, output, ["a"]).counts()


def test_no_round_takes_a_task_that_is_being_erased_and_then_it_is_gone(
    output: Path, database: Database
) -> None:
    erasure = Erasure(database, output, ["a"])
    erasure.hide()
    with database.read() as connection:
        found = connection.execute(sa.select(pool_tasks.c.task_id, pool_tasks.c.status))
        states = {row.task_id: row.status for row in found}
    assert states == {"a": FORGOTTEN, "a-1": "pending", "b": "pending"}
    erasure.erase_episodes()
    erasure.erase_tasks()
    assert TaskPool(database).get("a") is None
    assert TaskPool(database).get("b") is not None
    assert erasure.counts() == dict.fromkeys(erasure.counts(), 0)


def test_no_byte_of_a_task_is_left_in_the_database_file(output: Path, database: Database) -> None:
    add(TaskPool(database), task("secret", description="Find the aardvark. " * 400))
    erasure = Erasure(database, output, ["secret"])
    for erase in (erasure.hide, erasure.erase_episodes, erasure.erase_tasks):
        erase()
    assert not [path for path in output.glob("adp.sqlite*") if b"aardvark" in path.read_bytes()]
