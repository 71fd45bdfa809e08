"""Other people's files as tasks: which rows are found, what they become, and why some become none."""

from __future__ import annotations

import csv
import gzip
import json
import tracemalloc
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from adp_assets.intake.importers.gsm8k import word_problem
from adp_assets.intake.importers.humaneval import programming_problem
from adp_assets.intake.importers.rows import Reject, Row, read_rows, tasks_of
from adp_assets.intake.importers.seeds import Origin, seed
from adp_assets.intake.importers.table import FieldMap
from runtimes.contracts import TaskSpec
from runtimes.errors import ConfigurationError, InvalidTask

QA = ["description=question", "answer=reply"]
ORIGIN = Origin.of("quiz", "quiz.jsonl")


def written(path: Path, *lines: str) -> Path:
    data = "\n".join(lines).encode() + b"\n"
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def found(path: Path) -> list[Row]:
    """The rows of a file that has no other lines."""
    rows = [row for row in read_rows(path) if isinstance(row, Row)]
    assert len(rows) == len(list(read_rows(path)))
    return rows


def problem(**fields: Any) -> dict[str, Any]:
    """HumanEval's shape."""
    plain = {
        "task_id": "HumanEval/7",
        "prompt": 'def half(n):\n    """Half of n."""\n',
        "entry_point": "half",
        "canonical_solution": "    return n / 2\n",
        "test": "def check(candidate):\n    assert candidate(4) == 2\n",
    }
    return {**plain, **fields}


def mbpp(**fields: Any) -> dict[str, Any]:
    """MBPP's shape."""
    plain = {
        "task_id": 11,
        "text": "Write a function to double a number.",
        "code": "import math\ndef helper(): pass\ndef double(n, by=2):\n    return n * by",
        "test_list": ["assert double(2) == 4", "assert double(3) == 6"],
    }
    return {**plain, **fields}


def of_row(values: dict[str, Any], origin: Origin = ORIGIN) -> TaskSpec:
    return programming_problem(origin, Row(1, values, ""))


def of_table(
    columns: Sequence[str], row: dict[str, Any], *constants: str, verifier: str = "exact"
) -> TaskSpec:
    fields = FieldMap.parse(columns, ["task_type=reasoning", *constants], verifier)
    return fields.task(ORIGIN, Row(1, row, ""))


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.ndjson", "rows"])
def test_json_lines_are_rows_numbered_by_their_line(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, '\ufeff{"a": 1}', "", '{"a": [2]}')
    assert [(row.number, row.values) for row in found(path)] == [(1, {"a": 1}), (3, {"a": [2]})]


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_csv_is_text_by_the_names_of_its_first_line(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, "\ufeffa,b", '1,"x, ""y""', 'z"', "", "2,")
    first, second = found(path)
    assert (first.values, second.values) == ({"a": "1", "b": 'x, "y"\nz'}, {"a": "2", "b": ""})
    assert not first.typed


def test_parquet_keeps_its_types_and_the_order_of_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows[1].parquet"
    values = {"n": range(5_000), "day": date(2026, 1, 2), "tags": [["a", "b"]], "in": [{"x": 1.5}]}
    frame = pl.DataFrame({"n": values["n"]})
    frame = frame.with_columns(
        day=pl.lit(values["day"]), tags=pl.Series([["a", "b"]] * 5_000), inner=pl.Series([{"x": 1.5}] * 5_000)
    )
    frame.write_parquet(path, row_group_size=700)
    rows = found(path)
    assert [row.values["n"] for row in rows] == list(range(5_000))
    assert rows[0].values == {"n": 0, "day": "2026-01-02", "tags": ["a", "b"], "inner": {"x": 1.5}}
    assert len(list(read_rows(path, limit=2))) == 2


def test_what_is_no_row_is_rejected_with_its_number_and_reason_and_the_others_are_read(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "rows.jsonl", "nonsense", '{"a": 1}', "[1]", "x" * (1 << 20) + "y", '{"a": 2}')
    rows = list(read_rows(path))
    assert [row.values["a"] for row in rows if isinstance(row, Row)] == [1, 2]
    reasons = [(row.row, row.reason) for row in rows if isinstance(row, Reject)]
    assert [number for number, _ in reasons] == [1, 3, 4]
    for (_, reason), said in zip(reasons, ("no JSON object", "no JSON object", "longer than"), strict=True):
        assert said in reason


def test_a_broken_row_of_csv_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b'a,b\n1,2\nonly one\n1,2,3\n"broken "quote,x\n\xff\xfe,2\n3,4\n')
    rows = list(read_rows(path))
    assert [row.values for row in rows if isinstance(row, Row)] == [
        {"a": "1", "b": "2"},
        {"a": "3", "b": "4"},
    ]
    reasons = [row.reason for row in rows if isinstance(row, Reject)]
    said = ("1 cells for 2", "3 cells for 2", "no row of CSV", "not UTF-8")
    for reason, expected in zip(reasons, said, strict=True):
        assert expected in reason


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.jsonl", None),
        ("none.parquet", b"not parquet"),
        ("half.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 5_000)[:-20]),
        ("plain.csv.gz", b"a,b\n1,2\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"{name} cannot be read"):
        list(read_rows(tmp_path / name))


@pytest.mark.parametrize("name", ["long.jsonl.gz", "long.csv", "long.parquet"])
def test_a_long_file_is_never_held_whole(tmp_path: Path, name: str) -> None:
    path, rows, wide = tmp_path / name, 20_000, "x" * 500
    if name.endswith(".parquet"):
        pl.DataFrame({"q": [wide] * rows}).write_parquet(path, row_group_size=1_000)
    elif name.endswith(".csv"):
        with path.open("w") as file:
            csv.writer(file).writerows([["q"], *([wide] for _ in range(rows))])
    else:
        written(path, *(json.dumps({"q": wide}) for _ in range(rows)))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_rows(path)) == rows
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000 < rows * len(wide)


def test_an_id_is_made_of_source_and_content_not_of_the_place(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"task_type": "reasoning", "description": "1 + 1?"}
    first = seed(ORIGIN, 1, **fields)
    assert first.task_id.startswith("quiz-")
    assert seed(Origin.of("quiz", "other.jsonl"), 9, priority=3, **fields).task_id == first.task_id
    others = [
        seed(Origin.of("exam", "quiz.jsonl"), 1, **fields),
        seed(ORIGIN, 1, **{**fields, "description": "1 + 2?"}),
        seed(ORIGIN, 1, verifier={"kind": "exact", "spec": {"expected": "2"}}, **fields),
    ]
    assert len({first.task_id, *(task.task_id for task in others)}) == 4
    assert first.lineage.root_id == first.task_id
    assert (first.lineage.source, first.lineage.generation) == ("quiz.jsonl", 0)


def test_known_licences_are_recorded_and_others_are_unknown_unless_given() -> None:
    datasets = ["gsm8k", "humaneval", "reasoning-gym", "quiz"]
    licences = [Origin.of(name, "file").licence for name in datasets]
    assert licences == ["MIT", "MIT", "Apache-2.0", "unknown"]
    origin = Origin.of("quiz", "quiz.jsonl", "CC0-1.0")
    task = seed(origin, 5, task_type="reasoning", description="1 + 1?", metadata={"level": 2})
    assert task.metadata == {
        "level": 2,
        "dataset": "quiz",
        "licence": "CC0-1.0",
        "source": "quiz.jsonl",
        "source_row": 5,
    }


@pytest.mark.parametrize(
    ("answer", "said"), [("It is 4.", "could not convert"), ("#### nan", "no number"), (4, "Expected `str`")]
)
def test_a_word_problem_without_its_number_is_rejected(answer: object, said: str) -> None:
    assert (
        word_problem(ORIGIN, Row(1, {"question": "?", "answer": "2 * 600 #### 1,200"}, "")).verifier
        is not None
    )
    with pytest.raises(InvalidTask, match=said):
        word_problem(ORIGIN, Row(1, {"question": "?", "answer": answer}, ""))


def test_a_problem_of_humaneval_is_a_code_task_judged_by_its_tests() -> None:
    task = of_row(problem())
    assert task.task_type == "code"
    assert "def half(n)" in task.description
    assert "return n / 2" not in task.description
    assert task.verifier is not None
    assert task.verifier.spec == {"tests": problem()["test"], "entry_point": "half"}
    assert (task.metadata["source_id"], task.metadata["dataset"]) == ("HumanEval/7", "humaneval")
    assert task.metadata["licence"] == "MIT"


def test_only_humanevals_own_ids_make_it_humaneval() -> None:
    task = of_row(problem(task_id="Mine/7"))
    assert (task.metadata["dataset"], task.metadata["licence"]) == ("quiz", "unknown")


def test_a_problem_of_mbpp_says_how_its_function_is_called() -> None:
    task = of_row(mbpp())
    assert "Write a function to double a number." in task.description
    assert "`double(n, by=2)`" in task.description
    assert task.verifier is not None
    assert task.verifier.spec["tests"] == "assert double(2) == 4\nassert double(3) == 6\n"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"question": "?"}, "no programming problem: .*`prompt`"),
        (problem(test="def check(candidate):\n  assert (("), "no Python program"),
        (problem(test=""), "exactly one of `cases` and `tests`"),
        (problem(entry_point="third"), "defines no function 'third'"),
        (problem(canonical_solution="    return ("), "the solution is no Python program"),
        (problem(entry_point="a b", canonical_solution=""), "names no function"),
        (mbpp(test_list=["assert other(1)"]), "use no function that the solution defines"),
        (mbpp(code=3), "no programming problem"),
    ],
)
def test_a_problem_that_could_not_be_judged_is_rejected(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidTask, match=said):
        of_row(values)


def test_columns_become_fields_and_constants_are_the_same_in_all() -> None:
    task = of_table(
        [
            *QA,
            "priority=weight",
            "expected_tools=with",
            "constraints.start_url=at.url",
            "metadata.level=level",
        ],
        {
            "question": "1 + 1?",
            "reply": 2,
            "weight": 7.0,
            "with": "calculator, notes",
            "at": {"url": "http://a.b"},
        }
        | {"level": "3"},
        "timeout=60",
        "metadata.tags=[1, 2]",
    )
    assert (task.description, task.priority, task.timeout) == ("1 + 1?", 7, 60)
    assert task.expected_tools == ["calculator", "notes"]
    assert task.constraints == {"start_url": "http://a.b"}
    assert (task.metadata["level"], task.metadata["tags"]) == ("3", [1, 2])
    assert task.verifier is not None
    assert (task.verifier.kind, task.verifier.spec) == ("exact", {"expected": "2"})


@pytest.mark.parametrize(
    ("verifier", "reply", "expected"),
    [
        ("exact", "Paris", "Paris"),
        ("exact", 18, "18"),
        ("numeric", "1,200.5", 1200.5),
        ("numeric", 3, 3.0),
        ("symbolic", "x**2", "x**2"),
        ("json", '{"a": [1]}', {"a": [1]}),
        ("json", [1, 2], [1, 2]),
    ],
)
def test_an_answer_is_read_as_its_verifier_wants_it(verifier: str, reply: Any, expected: Any) -> None:
    task = of_table(QA, {"question": "?", "reply": reply}, verifier=verifier)
    assert task.verifier is not None
    assert task.verifier.spec == {"expected": expected}


def test_any_verifiers_fields_can_be_mapped_and_without_any_there_is_none() -> None:
    columns = ["description=q", "verifier.tests=t", "task_id=id"]
    row = {"q": "Write f.", "t": "def check(c):\n    assert c(1)", "id": "own-1"}
    task = of_table(columns, row, "verifier.entry_point=f", verifier="python_tests")
    assert task.task_id == "own-1"
    assert task.verifier is not None
    assert task.verifier.spec == {"entry_point": "f", "tests": row["t"]}
    assert of_table(["description=q"], row).verifier is None


@pytest.mark.parametrize(
    ("row", "verifier", "said"),
    [
        ({"question": "?"}, "exact", "no column 'reply'. Its columns: question"),
        ({"question": None, "reply": 1}, "exact", "'question' is empty"),
        ({"question": "  ", "reply": 1}, "exact", "description is empty"),
        ({"question": "?", "reply": ""}, "exact", "'reply' is empty"),
        ({"question": "?", "reply": "many"}, "numeric", "'many' is no number"),
        ({"question": "?", "reply": "inf"}, "numeric", "'inf' is no number"),
        ({"question": "?", "reply": "{a: 1} // no"}, "json", "is no JSON"),
    ],
)
def test_a_row_without_what_is_mapped_is_rejected(row: dict[str, Any], verifier: str, said: str) -> None:
    with pytest.raises(InvalidTask, match=said):
        of_table(QA, row, verifier=verifier)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("priority", 11, "`int` <= 10"),
        ("priority", "high", "Expected `int`"),
        ("task_id", "a/b", "path separator"),
        ("constraints", "[1]", "no JSON object"),
        ("constraints", {"start_url": "not an address"}, "start_url"),
        ("task_type", "chess", "'chess' has no runtime"),
        ("metadata.domain", "a\0b", "or NUL"),
        ("metadata.domain", "a\ud800", "surrogates not allowed"),
    ],
)
def test_a_value_that_no_task_may_have_is_rejected(column: str, value: Any, said: str) -> None:
    fields = FieldMap.parse(
        ["description=q", f"{column}=v"], [] if column == "task_type" else ["task_type=code"], "exact"
    )
    with pytest.raises(InvalidTask, match=said):
        fields.task(ORIGIN, Row(1, {"q": "?", "v": value}, ""))


@pytest.mark.parametrize(
    ("columns", "constants", "verifier", "said"),
    [
        (["descripton=q"], [], "exact", "no field 'descripton'. It has: description"),
        (["description"], [], "exact", "no field and value"),
        (["description=q"], [], "exact", "Nothing says the tasks' task_type"),
        ([], ["task_type=code"], "exact", "Nothing says the tasks' description"),
        (["description=q"], ["description=x"], "exact", "both mapped and set"),
        (["description=q"], ["task_type=code"], "exakt", "no verifier of kind 'exakt'"),
    ],
)
def test_a_wrong_map_is_refused_before_any_row_is_read(
    columns: list[str], constants: list[str], verifier: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        FieldMap.parse(columns, constants, verifier)


def test_rows_of_csv_are_text_that_fields_without_a_type_read_as_json(tmp_path: Path) -> None:
    path = written(tmp_path / "qa.csv", "question,reply,off,kind", "1 + 1?,2,0.5,007")
    columns = [*QA, "verifier.tolerance=off", "metadata.kind=kind"]
    fields = FieldMap.parse(columns, ["task_type=reasoning"], "numeric")
    (task,) = tasks_of(read_rows(path), partial(fields.task, ORIGIN))
    assert isinstance(task, TaskSpec)
    assert task.verifier is not None
    assert task.verifier.spec == {"tolerance": 0.5, "expected": 2.0}
    assert task.metadata["kind"] == "007"
