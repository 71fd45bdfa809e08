"""`adp import`: whole task files or none, the same each time, with what became no task beside them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from adp_assets.intake.pool import TaskPool
from adp_assets.intake.task_files import TaskFiles
from adp_resources.database import Database
from adp_service.cli.import_reasoning_gym import ensure_layer
from adp_service.cli.main import app
from runtimes import plugins
from runtimes.contracts import TaskSpec
from runtimes.errors import ConfigurationError
from tests.adp_service.command import project

GOOD = ['{"question": "1 + 1?", "answer": "#### 2"}', '{"question": "2 + 2?", "answer": "#### 4"}']
BAD = ["nonsense", '{"question": "3?"}']


@pytest.fixture
def gym_registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The verifier under its name, whether this checkout is installed or not."""
    info = tmp_path / "plugin" / "registered-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: registered\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[adp.verifiers]\nreasoning_gym = runtimes.grading.reasoning_gym:ReasoningGym\n"
    )
    caches = (plugins.load, plugins.names)
    monkeypatch.syspath_prepend(info.parent)
    for cache in caches:
        cache.cache_clear()
    yield
    monkeypatch.undo()
    for cache in caches:
        cache.cache_clear()


def imported(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["import", *map(str, arguments)])


def lines(path: Path, *texts: str) -> Path:
    path.write_text("\n".join(texts) + "\n")
    return path


def tasks_in(path: Path) -> list[TaskSpec]:
    return [msgspec.json.decode(line, type=TaskSpec) for line in path.read_bytes().splitlines()]


def test_bad_rows_are_named_and_kept_and_stop_nothing(tmp_path: Path) -> None:
    source, output = lines(tmp_path / "test.jsonl", GOOD[0], *BAD, GOOD[1]), tmp_path / "tasks.jsonl"
    ended = imported("gsm8k", source, "-o", output)
    assert ended.exit_code == 0
    assert [task.description for task in tasks_in(output)] == ["1 + 1?", "2 + 2?"]
    kept = [json.loads(line) for line in Path(f"{output}.rejected.jsonl").read_text().splitlines()]
    assert [(row["row"], row["content"]) for row in kept] == [(2, BAD[0]), (3, BAD[1])]
    assert "`answer`" in kept[1]["reason"]
    for said in (
        "test.jsonl:2: no JSON object",
        "test.jsonl:3: this is no GSM8K problem",
        "2 tasks of 4 rows",
    ):
        assert said in ended.stderr


def test_the_same_file_gives_the_same_bytes_and_adds_nothing_to_the_pool_again(tmp_path: Path) -> None:
    source = lines(tmp_path / "test.jsonl", *GOOD)
    files = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    database = Database(f"sqlite:///{tmp_path}/adp.sqlite")
    database.upgrade()
    intake = TaskFiles(TaskPool(database), tmp_path / "rejects")
    accepted = []
    for file in files:
        assert imported("gsm8k", source, "-o", file).exit_code == 0
        accepted.append(len(intake.read(file).accepted))
    assert files[0].read_bytes() == files[1].read_bytes()
    assert accepted == [2, 0]
    (task_id, _) = (task.task_id for task in tasks_in(files[0]))
    pooled = TaskPool(database).get(task_id)
    database.close()
    assert pooled is not None
    assert (pooled.lineage.root_id, pooled.lineage.source) == (task_id, str(files[0]))
    assert pooled.metadata == {
        "dataset": "gsm8k",
        "licence": "MIT",
        "source": "test.jsonl",
        "source_row": 1,
    }


def test_a_file_without_any_task_leaves_the_old_one_as_it_was(tmp_path: Path) -> None:
    output = lines(tmp_path / "tasks.jsonl", "of an earlier import")
    ended = imported("gsm8k", lines(tmp_path / "test.jsonl", *BAD), "-o", output)
    assert isinstance(ended.exception, ConfigurationError)
    assert "No row of test.jsonl became a task" in str(ended.exception)
    assert output.read_text() == "of an earlier import\n"
    assert len(Path(f"{output}.rejected.jsonl").read_text().splitlines()) == 2


def test_a_file_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "test.jsonl.gz"
    source.write_bytes(gzip.compress("\n".join(GOOD * 500).encode())[:-12])
    ended = imported("gsm8k", source, "-o", tmp_path / "out" / "tasks.jsonl")
    assert isinstance(ended.exception, ConfigurationError)
    assert "cannot be read" in str(ended.exception)
    assert list((tmp_path / "out").iterdir()) == []


def test_rejects_of_an_earlier_import_go_when_all_is_mended(tmp_path: Path) -> None:
    source, output = tmp_path / "test.jsonl", tmp_path / "tasks.jsonl"
    imported("gsm8k", lines(source, GOOD[0], *BAD), "-o", output)
    imported("gsm8k", lines(source, *GOOD), "-o", output)
    assert {path.name for path in tmp_path.iterdir()} == {source.name, output.name}


def test_of_many_bad_rows_the_first_are_named(tmp_path: Path) -> None:
    ended = imported("gsm8k", lines(tmp_path / "test.jsonl", *GOOD, *["x"] * 50), "-o", tmp_path / "out")
    assert ended.stderr.count("no JSON object") == 20
    assert "30 more rows are no tasks" in ended.stderr
    assert len((tmp_path / "out.rejected.jsonl").read_text().splitlines()) == 50


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    source = lines(tmp_path / "test.jsonl", *GOOD)
    ended = imported("gsm8k", source, "-o", tmp_path / "." / "test.jsonl")
    assert isinstance(ended.exception, ConfigurationError)
    assert source.read_text().splitlines() == GOOD


def test_tables_and_programs_are_named_after_their_file_unless_a_name_is_given(tmp_path: Path) -> None:
    source = lines(tmp_path / "Quiz.v2.csv", "q,a", "1 + 1?,2")
    columns = ["--map", "description=q", "--map", "answer=a", "--set", "task_type=reasoning"]
    ended = imported("table", source, *columns, "--verifier", "numeric", "--licence", "CC0-1.0")
    task = msgspec.json.decode(ended.stdout, type=TaskSpec)
    assert task.task_id.startswith("quiz-")
    assert (task.metadata["dataset"], task.metadata["licence"]) == ("quiz", "CC0-1.0")
    row = {"prompt": "def f(x):\n", "entry_point": "f", "test": "def check(f):\n    assert f(1)"}
    source = lines(tmp_path / "programs.jsonl", json.dumps(row))
    ended = imported("humaneval", source, "--dataset", "mine")
    task = msgspec.json.decode(ended.stdout, type=TaskSpec)
    assert (task.task_type, task.metadata["dataset"], task.metadata["licence"]) == ("code", "mine", "unknown")


@pytest.mark.usefixtures("gym_registered")
def test_problems_of_reasoning_gym_are_made_in_the_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(tmp_path / "project"))
    ensure_layer()
    files = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    for file in files:
        ended = imported("reasoning-gym", "--names", "gcd, maze", "--count", 3, "--seed", 7, "-o", file)
        assert ended.exit_code == 0, ended.output
        assert "6 tasks of 6 rows" in ended.stderr
    assert files[0].read_bytes() == files[1].read_bytes()
    first, *_, last = tasks_in(files[0])
    assert first.verifier is not None
    assert (first.verifier.kind, first.verifier.spec["dataset"]) == ("reasoning_gym", "gcd")
    assert first.verifier.spec["entry"]["answer"] not in (first.task_id, "")
    assert last.metadata["source"].startswith("reasoning-gym==")
    del last.metadata["source"]
    assert last.metadata == {
        "task": "maze",
        "seed": 7,
        "dataset": "reasoning-gym",
        "licence": "Apache-2.0",
        "source_row": 2,
    }


@pytest.mark.parametrize(
    ("names", "said"), [("countdown", "'countdown' is no data set"), (" , ", "names no data")]
)
def test_a_data_set_that_is_not_let_in_is_named(names: str, said: str) -> None:
    ended = imported("reasoning-gym", "--names", names)
    assert isinstance(ended.exception, ConfigurationError)
    assert said in str(ended.exception)
