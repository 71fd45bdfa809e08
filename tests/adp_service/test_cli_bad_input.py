"""What `adp` says to bad input: the place, the cause and the way out, never a traceback."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.adp_service.command import Ended, adp, line, project
from tests.llm_server.process import llm_server

GOOD = line("good", verifier={"kind": "exact", "spec": {"expected": "x"}})
BAD_LINES = {
    "audio": line("audio", task_type="audio"),
    "type": json.dumps({"task_id": "untyped", "description": "x"}) + "\n",
    "priority": line("priority", priority="high"),
    "steps": line("steps", max_steps=-3),
    "timeout": line("timeout", timeout=-1),
    "tools": line("tools", expected_tools="browser"),
    "id": line("../../escaped"),
    "verifier": line("verifier", verifier={"kind": "numeric", "spec": {}}),
    "long": line("long", description="x" * 10_000_000),
    "json": "{not json\n",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each command has a project folder of its name."""
    return tmp_path_factory.mktemp("bad")


@pytest.fixture(scope="module")
def ended(base: Path) -> dict[str, Ended]:
    """Every bad command of this module, run once."""
    found: dict[str, Ended] = {}
    with llm_server("refuse") as refuse, llm_server("down") as down:

        def run(name: str, *arguments: object, **settings: object) -> None:
            folder = project(base / name, **settings)
            (folder / "good.jsonl").write_text(GOOD)
            (folder / "empty.jsonl").touch()
            (folder / "binary.jsonl").write_bytes(b"\x7fELF\0\0\0" * 100)
            (folder / "folder.jsonl").mkdir()
            (folder / "bad.jsonl").write_text("".join(BAD_LINES.values()))
            (folder / "file").touch()
            (folder / "broken.sqlite").write_text("no database " * 100)
            found[name] = adp(folder, *arguments)

        builtin = ("--model", "builtin")
        for what in ("missing", "empty", "binary", "folder", "bad"):
            run(what, "run", f"{what}.jsonl", *builtin)
        run("no file at all", "run", *builtin)
        run("unwritable", "run", "good.jsonl", *builtin, OUTPUT_DIR="/proc/none")
        run("in the way", "run", "good.jsonl", *builtin, OUTPUT_DIR="file")
        run("broken database", "run", "good.jsonl", *builtin, DATABASE_PATH="broken.sqlite")
        run("home", "run", "good.jsonl", *builtin, DAGSTER_HOME="/proc/none")
        run("setting", "run", "good.jsonl", SAMPLES="many")
        run("dead", "run", "good.jsonl", VLLM_URL=down.url)
        run("refused", "run", "good.jsonl", OPENAI_API_KEY="sk-hidden", OPENAI_API_BASE=refuse.url)
        run("negative", "run", "good.jsonl", "--samples", "-1")
        run("show", "show", "nothing")
        run("import", "import", "gsm8k", "bad.jsonl")
        run("debug", "--debug", "run", "missing.jsonl", *builtin)
    return found


def test_every_bad_command_ends_with_an_exit_code_and_without_a_traceback(ended: dict[str, Ended]) -> None:
    for name, each in ended.items():
        assert each.code in {1, 2}, (name, each)
        assert "error" in each.said.lower(), (name, each)
        if name != "debug":
            assert "Traceback" not in each.said + each.output, (name, each)
            assert "fault of the platform" not in each.said, (name, each)


def test_debug_shows_the_traceback(ended: dict[str, Ended]) -> None:
    assert "Traceback" in ended["debug"].said
    assert "try:" in ended["debug"].said


@pytest.mark.parametrize(
    ("name", "place", "cause", "way_out"),
    [
        ("missing", "missing.jsonl", "No such file", '"task_type": "code"'),
        ("empty", "empty.jsonl", "is empty", '"task_type": "code"'),
        ("binary", "binary.jsonl", "is binary", '"task_type": "code"'),
        ("folder", "folder.jsonl", "is a folder", "Name a file in it"),
        ("no file at all", "tasks.jsonl (TASK_FILE)", "There is no task file", "adp run FILE"),
        ("unwritable", "/proc/none", "No such file", "OUTPUT_DIR"),
        ("in the way", "/file", "exists", "OUTPUT_DIR"),
        ("broken database", "broken.sqlite", "not a database", "DATABASE_PATH"),
        ("home", "/proc/none", "No such file", "DAGSTER_HOME"),
        ("setting", "SAMPLES", "'many'", ".env"),
        ("dead", "VLLM_URL=http://127.0.0.1", "No LLM server answers", "--model builtin"),
        ("refused", "reasoning tasks of round-0001", "HTTP 401", "Check the API key"),
        ("negative", "--samples", "Invalid value", "--help"),
        ("show", "'nothing'", "There is no trajectory", "adp run FILE"),
        ("import", "bad.jsonl:1", "is no GSM8K problem", "question"),
    ],
)
def test_the_message_names_the_place_the_cause_and_the_way_out(
    ended: dict[str, Ended], name: str, place: str, cause: str, way_out: str
) -> None:
    said = ended[name].said
    assert place in said
    assert cause in said
    assert way_out in said


@pytest.mark.parametrize(
    ("number", "reason"),
    list(
        enumerate(
            [
                "task_type 'audio' has no runtime",
                "missing required field `task_type`",
                "Expected `int`, got `str` - at `$.priority`",
                "`int` >= 1 - at `$.max_steps`",
                "`int` >= 1 - at `$.timeout`",
                "Expected `array`, got `str` - at `$.expected_tools`",
                "task_id '../../escaped' holds a path separator",
                "not one of kind 'numeric': Object missing required field `expected` - at `$.verifier.spec`",
                "longer than 1,048,576 bytes",
                "not a task: JSON is malformed",
            ],
            start=1,
        )
    ),
)
def test_each_bad_line_is_told_by_its_number_and_reason(
    ended: dict[str, Ended], number: int, reason: str
) -> None:
    (told,) = [text for text in ended["bad"].said.splitlines() if f"bad.jsonl:{number}:" in text]
    assert reason in told


def test_a_file_of_bad_lines_only_is_an_error_and_its_lines_are_kept(ended: dict[str, Ended]) -> None:
    said = ended["bad"].said
    assert "holds no task that could be run" in said
    kept = Path(said.partition("kept in ")[2].partition(": mend")[0])
    assert kept.read_text().splitlines()[0] == BAD_LINES["audio"].strip()
    assert kept.read_text().splitlines()[-1] == "{not json"


def test_no_message_shows_a_key(ended: dict[str, Ended]) -> None:
    assert all("sk-hidden" not in each.said + each.output for each in ended.values())


def test_a_refused_key_left_no_failed_task_behind(ended: dict[str, Ended], base: Path) -> None:
    folder = base / "refused"
    with sqlite3.connect(folder / "output" / "adp.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM journal").fetchone() == (0,)
    assert not list(folder.glob("output/trajectories/*.json"))
