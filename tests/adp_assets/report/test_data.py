"""What a written report holds, read as data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from adp_assets.diversity.measure import measure
from adp_assets.report.content import MAX_TABLE_ROWS, Table
from adp_assets.report.episode import LONGEST, episode
from adp_assets.report.scripts import literal, script
from adp_resources.task_stats import TaskRecord
from runtimes.contracts import trajectory_to_json
from runtimes.errors import ConfigurationError
from tests.adp_assets.report.scenes import (
    ROUND,
    data,
    frame,
    screenshot,
    shown,
    step,
    task,
    trajectory,
    web_step,
    written,
)


def row_id(task_id: str, sample: int = 0) -> str:
    return f"{ROUND}/{task_id}/{sample}"


def decoded(column: dict[str, list[Any]]) -> list[str | None]:
    return [column["values"][code] if code >= 0 else None for code in column["codes"]]


def test_a_script_gives_back_what_it_was_given_and_never_ends_early() -> None:
    hostile = [
        "</script><script>alert(1)</script>",
        "<!--",
        "a\u2028b\u2029c",
        "\ud800 alone",
        '"); alert(1); ("',
        "\\u003c",
    ]
    text = script("x", literal(hostile)).decode("utf-8")
    assert "<" not in text
    assert "\u2028" not in text
    assert text.count("\n") == 1
    assert json.loads(text[len('report.receive("x",') : -len(");\n")]) == hostile


def test_every_row_is_listed_with_its_task_and_found_in_its_chunk(tmp_path: Path) -> None:
    trajectories = [
        trajectory(f"t{n}", [step(1, f"observed {n} {s} " + "x" * 9_000)], sample=s)
        for n in range(60)
        for s in (0, 1)
    ]
    folder = written(tmp_path / "report", frame(trajectories[:50]), frame(trajectories[50:]))
    index = data(folder, "index")
    assert len(index["chunks"]) > 2
    assert [index["tasks"]["id"][at] for at in index["rows"]["task"]] == [t.task_id for t in trajectories]
    for row in (0, 1, 77, 119):
        expected = trajectories[row]
        assert shown(folder, row)["steps"][0]["observation"].startswith(
            f"observed {expected.task_id[1:]} {expected.sample} "
        )


def test_a_huge_observation_is_cut_and_says_how_long_it_was(tmp_path: Path) -> None:
    folder = written(tmp_path / "report", frame([trajectory("t", [step(1, "é" * 10_000_000)])]))
    text, whole = shown(folder)["steps"][0]["observation"]
    assert (len(text), whole) == (LONGEST, 10_000_000)
    assert sum(path.stat().st_size for path in (folder / "data").rglob("*.js")) < 200_000


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (None, "holds no trajectory"),
        ("{", "cannot be read"),
        ('{"steps": 3}', "cannot be read"),
        ("[" * 5_000, "cannot be read"),
    ],
)
def test_a_trajectory_that_cannot_be_read_says_why(document: str | None, why: str) -> None:
    assert why in episode(document)["unreadable"]


def test_arguments_of_every_kind_become_text_that_keeps_large_numbers() -> None:
    arguments = {
        "n": 2**63,
        "list": [1, {"a": None}],
        "text": "as\nit is",
        "__proto__": "a name like another",
        "none": None,
    }
    document = trajectory_to_json(trajectory("t", [step(action_params=arguments)])).decode()
    told = dict(episode(document)["steps"][0]["call"])
    assert told["n"] == str(2**63)
    assert told["text"] == "as\nit is"
    assert json.loads(told["list"]) == [1, {"a": None}]
    assert told["__proto__"] == "a name like another"


def test_the_message_of_an_error_is_told_once(tmp_path: Path) -> None:
    steps = [
        step(1, "error: it broke", success=False, error_type="runtime_error", error_message="it broke"),
        step(2, None, success=False, error_type="timeout", error_message="too slow"),
    ]
    first, second = shown(written(tmp_path / "report", frame([trajectory("t", steps)])))["steps"]
    assert "message" not in first
    assert second["message"] == "too slow"


def test_fates_say_where_each_row_went_and_one_that_was_dropped_is_in_no_split(tmp_path: Path) -> None:
    fates = pl.DataFrame(
        {"id": [row_id("a"), row_id("b")], "split": ["train", "train"], "dropped": ["", "near duplicates"]}
    )
    folder = written(tmp_path / "report", frame([trajectory(each) for each in "abc"]), fates=fates)
    rows = data(folder, "index")["rows"]
    assert decoded(rows["split"]) == ["train", None, None]
    assert decoded(rows["dropped"]) == [None, "near duplicates", None]
    summary = data(folder, "summary")
    assert summary["totals"]["kept"] == 1
    assert summary["dropped"] == [["near duplicates", 1]]


def test_older_frames_without_some_columns_are_listed(tmp_path: Path) -> None:
    older = frame([trajectory("a")]).drop(
        "surplus", "grade_reason", "cost_usd", "teacher", "operator", "root_id"
    )
    folder = written(tmp_path / "report", older, frame([trajectory("b")]))
    index = data(folder, "index")
    assert decoded(index["rows"]["teacher"]) == ["test-model", "vllm / test-model"]
    assert index["tasks"]["root"] == [0, 1]


def test_an_empty_report_is_whole(tmp_path: Path) -> None:
    folder = written(tmp_path / "report", funnel={"trajectories": 0})
    assert data(folder, "summary")["totals"]["rows"] == 0
    assert data(folder, "index")["chunks"] == []


def test_more_than_the_limit_are_all_counted_and_a_stable_sample_is_listed(tmp_path: Path) -> None:
    trajectories = [trajectory(f"t{n}", outcome="unsolved" if n % 4 else "solved") for n in range(400)]
    folders = [written(tmp_path / name, frame(trajectories), limit=100) for name in ("one", "two")]
    one, two = (data(folder, "index") for folder in folders)
    assert one == two
    assert 60 < len(one["rows"]["task"]) < 140
    summary = data(folders[0], "summary")
    assert (summary["totals"]["rows"], summary["totals"]["solved"]) == (400, 100)
    assert summary["listed"] == len(one["rows"]["task"])


def test_figures_add_up_over_frames(tmp_path: Path) -> None:
    first = [
        trajectory("a", [step(1), step(2)], prompt_tokens=100, completion_tokens=20, cost_usd=0.5),
        trajectory("b", outcome="unsolved", error_type="timeout", task_type="web", prompt_tokens=1_000),
    ]
    second = [trajectory("a", sample=1, outcome="infrastructure_error", error_type="timeout", verified=False)]
    summary = data(written(tmp_path / "report", frame(first), frame(second)), "summary")
    assert {kind["name"]: (kind["rows"], kind["solved"]) for kind in summary["types"]} == {
        "code": (2, 1),
        "web": (1, 0),
    }
    assert summary["errors"] == [{"name": "timeout", "rows": 2, "types": [["code", 1], ["web", 1]]}]
    assert summary["steps"] == [[1, 1, 2], [2, 2, 1]]
    tokens = {tuple(bounds): rows for *bounds, rows in summary["tokens"] if rows}
    assert tokens == {(0, 0): 1, (64, 127): 1, (512, 1023): 1}
    totals = summary["totals"]
    assert (totals["tasks"], totals["priced"], totals["cost_usd"]) == (2, 1, 0.5)


def test_a_task_leads_to_its_ancestors_listed_or_only_named(tmp_path: Path) -> None:
    tasks = [
        task("seed"),
        task("child", "", "seed"),
        task("grandchild", "", "child", "elsewhere"),
        task("unrelated"),
    ]
    records = [TaskRecord("child", 4, 4, 1)]
    folder = written(
        tmp_path / "report", frame([trajectory("grandchild")], tasks), tasks=tasks, records=records
    )
    found = data(folder, "index")["tasks"]
    assert found["id"] == ["grandchild", "child", "seed"]
    assert found["parents"] == [[1, "elsewhere"], [2], []]
    assert found["solved"] == [None, 1, None]


def test_whole_descriptions_can_be_searched_and_short_ones_are_not_said_twice(tmp_path: Path) -> None:
    tasks = [task("short", "Add two."), task("long", "Add two. " * 40 + "needle")]
    folder = written(
        tmp_path / "report", frame([trajectory("short"), trajectory("long")], tasks), tasks=tasks
    )
    assert [text[-6:] for text in data(folder, "texts")["tasks"]] == ["", "needle"]
    assert "description" not in shown(folder, 0)
    assert shown(folder, 1)["description"] == tasks[1].description


def test_only_pictures_that_steps_name_are_put_in_and_missing_ones_are_told(tmp_path: Path) -> None:
    kept = screenshot(tmp_path / "kept")
    (tmp_path / "kept" / "ff").mkdir()
    (tmp_path / "kept" / "ff" / f"{'f' * 64}.jpg").write_bytes(b"of another trajectory")
    names = [kept, kept, "0" * 64, "../../../etc/passwd"]
    steps = [web_step(number, name) for number, name in enumerate(names)]
    folder = written(tmp_path / "report", frame([trajectory("t", steps)]), screenshots=tmp_path / "kept")
    assert ["picture_missing" in each for each in shown(folder)["steps"]] == [False, False, True, True]
    assert [path.name for path in (folder / "screenshots").rglob("*") if path.is_file()] == [f"{kept}.jpg"]


def test_a_round_s_diversity_and_tables_are_told(tmp_path: Path) -> None:
    tasks = [task("a", metadata={"domain": "trade"}), task("b", "", "a")]
    table = Table(
        "Contaminated",
        ["trajectory", "item"],
        [[row_id("a"), number] for number in range(MAX_TABLE_ROWS + 5)],
    )
    folder = written(
        tmp_path / "report", frame([trajectory("a")]), diversity={ROUND: measure(tasks, [])}, tables=[table]
    )
    summary = data(folder, "summary")
    (measured,) = summary["diversity"]
    assert dict(measured["spreads"])["domains"] == [["trade", 1]]
    (found,) = summary["tables"]
    assert (len(found["rows"]), found["total"]) == (MAX_TABLE_ROWS, MAX_TABLE_ROWS + 5)


def test_a_report_replaces_the_one_before_whole(tmp_path: Path) -> None:
    trajectories = [trajectory(f"t{n}", [step(1, "x" * 15_000)]) for n in range(50)]
    written(tmp_path / "report", frame(trajectories))
    folder = written(tmp_path / "report", frame([trajectory("new")]))
    assert data(folder, "index")["tasks"]["id"] == ["new"]
    assert [path.name for path in (folder / "data" / "trajectories").iterdir()] == ["0000.js"]
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_report_that_fails_half_way_leaves_the_one_before(tmp_path: Path) -> None:
    folder = written(tmp_path / "report", frame([trajectory("old")]))

    def broken() -> Iterator[pl.DataFrame]:
        yield frame([trajectory("new")])
        raise OSError(28, "No space left on device")

    with pytest.raises(ConfigurationError, match="No space left on device"):
        written(folder, count=2, trajectories=broken())
    assert data(folder, "index")["tasks"]["id"] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="file/report cannot be written"):
        written(tmp_path / "file" / "report", frame([trajectory("t")]))


def test_what_took_no_time_and_cost_nothing_says_so(tmp_path: Path) -> None:
    folder = written(tmp_path / "report", frame([trajectory("t", [step(1, "", duration=0.0, cost_usd=0.0)])]))
    (found,) = shown(folder)["steps"]
    assert (found["seconds"], found["cost"]) == (0, 0)
    assert "observation" not in found
