"""`adp import miniwob`: task files that the platform's own intake reads."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from adp_service.cli.main import app
from runtimes.contracts import TaskSpec
from runtimes.errors import ConfigurationError
from runtimes.grading.base import check_verifier


def imported(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["import", "miniwob", *map(str, arguments)])


def test_a_file_of_tasks_is_written_and_writing_it_again_changes_nothing(tmp_path: Path) -> None:
    files = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    for file in files:
        ended = imported("--tasks", "click-test, enter-date", "--seeds", "3-4", "--output", file)
        assert ended.exit_code == 0, ended.output
        assert "The built-in teacher does not know these tasks" in ended.stderr
    first, second = (file.read_bytes() for file in files)
    assert first == second
    tasks = [msgspec.json.decode(line, type=TaskSpec) for line in first.splitlines()]
    assert [task.task_id for task in tasks] == [
        "miniwob-click-test-3",
        "miniwob-click-test-4",
        "miniwob-enter-date-3",
        "miniwob-enter-date-4",
    ]
    for task in tasks:
        assert task.task_type == "web"
        assert task.verifier is not None
        check_verifier(task.verifier)
        assert (task.lineage.root_id, task.lineage.source) == (task.task_id, "miniwob")
        assert task.metadata.items() >= {"dataset": "miniwob", "licence": "MIT", "source": "miniwob"}.items()
        assert task.task_id.endswith(f"-{task.metadata['source_row']}")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--seeds", "0"], "--seeds 0"),
        (["--seeds", "4-3"], "--seeds 4-3"),
        (["--seeds", "many"], "--seeds many"),
        (["--tasks", "click-tset"], "click-tset"),
        (["--tasks", " , "], "--tasks"),
    ],
)
def test_what_names_nothing_is_refused(arguments: list[str], named: str) -> None:
    ended = imported(*arguments)
    assert isinstance(ended.exception, ConfigurationError)
    assert named in str(ended.exception)
