"""Training datasets: what gets in, in which shape, and that trainers' tools read it."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
import yaml  # type: ignore[import-untyped]

from adp_assets.curation.assets import release_folder
from adp_assets.curation.export import lineage_hash, split_sizes, write_dataset
from adp_assets.curation.rows import COLUMNS, content_hash, split_of, training_messages
from adp_assets.curation.select import Selection, select, without_duplicates
from adp_assets.diversity.measure import measure
from adp_assets.diversity.shown import in_words
from runtimes.contracts import ExecutionStep, Lineage, TaskSpec, Trajectory
from runtimes.errors import ConfigurationError
from tests.adp_assets.tasks import solved, step, task
from tests.adp_resources.disks import small_disk


def selected(*trajectories: Trajectory, tasks: dict[str, TaskSpec] | None = None) -> Selection:
    return select(trajectories, tasks or {t.task_id: task(t.task_id) for t in trajectories})


def kept(*trajectories: Trajectory) -> list[str]:
    return selected(*trajectories).rows["task_id"].to_list()


def many(count: int, tasks: dict[str, TaskSpec]) -> Selection:
    """So many successes, in families of three: a seed and two tasks made from it."""
    trajectories = []
    for number in range(count):
        root = f"seed-{number // 3}"
        lineage = Lineage(root_id=root, generation=number % 3)
        tasks[f"t{number}"] = task(f"t{number}", lineage=lineage)
        trajectories.append(solved(f"t{number}", str(number)))
    return selected(*trajectories, tasks=tasks)


def test_what_is_surplus_gets_in_no_dataset() -> None:
    selection = selected(solved("asked for"), solved("surplus", surplus=True))
    assert selection.rows["task_id"].to_list() == ["asked for"]
    assert (selection.funnel["verified success"], selection.funnel["not surplus"]) == (2, 1)


def test_only_verified_successes_get_in_and_the_funnel_tells_where_the_others_went() -> None:
    bad_call = solved("bad", steps=[step(1, "python_executor", "{not json", "error"), *solved().steps])
    selection = selected(
        solved("good"),
        bad_call,
        solved("copy", prompt=solved("good").prompt),
        solved("unsolved", outcome="unsolved", success=False),
        solved("unverified", outcome="unverified", verified=False),
        solved("ours", outcome="infrastructure_error"),
        solved("stopped", outcome="cancelled"),
        solved("empty", steps=[]),
    )
    assert selection.rows["task_id"].to_list() == ["copy"]
    assert selection.funnel == {
        "trajectories": 8,
        "finished": 6,
        "verified success": 3,
        "not judged alone": 3,
        "not surplus": 3,
        "renderable": 2,
        "without exact duplicates": 1,
    }


@pytest.mark.parametrize(
    "arguments", ["{not json", "[1]", '"text"', "7", '{"code": "\\ud83d"}', "[" * 100_000]
)
def test_an_episode_with_a_call_no_template_can_render_stays_out(arguments: str) -> None:
    assert kept(solved("bad", steps=[step(1, "f", arguments, "error"), *solved().steps])) == []


@pytest.mark.parametrize("function", [None, {}, {"name": None, "arguments": "{}"}])
def test_an_episode_with_a_call_of_no_tool_stays_out_and_stops_nothing(function: Any) -> None:
    nameless = step(1, "f", "{}", "error", tool_calls=[{"id": "c", "function": function}])
    assert kept(solved("bad", steps=[nameless, *solved().steps]), solved("good")) == ["good"]


def test_messages_are_what_the_model_saw_and_gave_with_arguments_as_objects() -> None:
    first = step(
        1, "python_executor", '{"code": "print(42)"}', "42", content="I run it.", reasoning_content="Hm."
    )
    second = step(2, "complete_task", "", None)
    assert training_messages(solved(steps=[first, second])) == [
        {"role": "system", "content": "Solve."},
        {"role": "user", "content": "Do t."},
        {
            "role": "assistant",
            "content": "I run it.",
            "reasoning_content": "Hm.",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "python_executor", "arguments": {"code": "print(42)"}},
                }
            ],
        },
        {"role": "tool", "content": "42", "tool_call_id": "c1"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "c2", "type": "function", "function": {"name": "complete_task", "arguments": {}}}
            ],
        },
    ]


def keys_without_value(value: Any) -> bool:
    if isinstance(value, dict):
        return any(v is None or keys_without_value(v) for v in value.values())
    return isinstance(value, list) and any(map(keys_without_value, value))


def test_no_message_has_a_key_without_a_value() -> None:
    text = ExecutionStep(
        step_id=1,
        action_type="tool_call",
        success=True,
        message={"role": "assistant", "content": "42", "audio": None},
    )
    for trajectory in (solved(), solved(steps=[text])):
        assert not keys_without_value(training_messages(trajectory))


def test_episodes_that_say_and_do_the_same_are_duplicates_whatever_their_calls_ids() -> None:
    one = solved("t", sample=0)
    renamed = json.loads(json.dumps(training_messages(one)).replace('"c1"', '"x1"').replace('"c2"', '"x2"'))
    other = training_messages(solved("t", "43"))
    assert content_hash(training_messages(one)) == content_hash(renamed) != content_hash(other)
    assert kept(one, solved("t", sample=1), solved("t", "43", sample=2)) == ["t", "t"]


def test_of_duplicates_the_oldest_generation_stays_in_any_order() -> None:
    tasks = {
        name: task(name, lineage=Lineage(root_id="s", generation=generation))
        for name, generation in [("young", 2), ("old", 0), ("middle", 1)]
    }
    same = [solved(name, prompt=solved("x").prompt) for name in tasks]
    for trajectories in (same, same[::-1]):
        assert selected(*trajectories, tasks=tasks).rows["task_id"].to_list() == ["old"]


def test_duplicates_across_rounds_are_removed_from_a_release() -> None:
    parts = [selected(solved("t", round=name)).rows for name in ("round-0002", "round-0001")]
    assert without_duplicates(pl.concat(parts))["round"].to_list() == ["round-0001"]


def test_relatives_are_never_in_two_splits() -> None:
    rows = many(300, {}).rows
    assert rows.group_by("root_id").agg(pl.col("split").n_unique())["split"].to_list() == [1] * 100
    assert set(rows["split"]) == {"train", "test"}


def test_a_root_falls_into_the_same_split_in_every_dataset() -> None:
    splits = [split_of(f"seed-{n}", 0.1) for n in range(2_000)]
    assert splits == [split_of(f"seed-{n}", 0.1) for n in range(2_000)]
    assert 150 < splits.count("test") < 250


def card(folder: Path) -> tuple[dict[str, Any], str]:
    text = (folder / "README.md").read_text(encoding="utf-8")
    _, header, body = text.split("---\n", 2)
    return yaml.safe_load(header), body


def test_a_written_dataset_is_loaded_by_the_tools_people_train_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    tasks: dict[str, TaskSpec] = {}
    selection = many(60, tasks)
    folder = tmp_path / "datasets" / "round-0001"
    measured = {"round-0001": measure(list(tasks.values()), [])}
    write_dataset(folder, selection.rows, selection.funnel, made_by="run-1", diversity=measured)
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {split: part.num_rows for split, part in loaded.items()} == split_sizes(selection.rows)
    assert set(loaded) == {"train", "test"}
    row = loaded["train"][0]
    wanted = training_messages(solved(row["task_id"], row["task_id"][1:]))
    assert row["messages"] == wanted
    assert row["messages"][2]["tool_calls"][0]["function"]["arguments"] == {"code": "print(42)"}
    assert row["tools"] == solved().tools
    assert row["root_id"] == tasks[row["task_id"]].lineage.root_id


def test_each_shard_names_the_schema_version_the_run_and_its_lineage(tmp_path: Path) -> None:
    selection = many(60, {})
    write_dataset(tmp_path / "d", selection.rows, selection.funnel, made_by="run-1")
    test_rows = selection.rows.filter(split="test")
    kept = pl.read_parquet_metadata(next((tmp_path / "d" / "split=test").glob("*.parquet")))
    assert kept["run_id"] == "run-1"
    assert kept["lineage_hash"] == lineage_hash(test_rows) != lineage_hash(selection.rows)
    assert lineage_hash(test_rows) == lineage_hash(test_rows.reverse())
    assert kept["schema_version"]


def test_the_card_names_splits_counts_teachers_and_lineage(tmp_path: Path) -> None:
    selection = many(60, {})
    write_dataset(tmp_path / "round-0001", selection.rows, selection.funnel, made_by="run-1")
    header, body = card(tmp_path / "round-0001")
    (config,) = header["configs"]
    assert config["data_files"] == [
        {"split": split, "path": f"split={split}/*.parquet"} for split in ("train", "test")
    ]
    assert "# round-0001" in body
    assert "| verified success | 60 |" in body
    assert "| gemini / gemini-1 | 60 |" in body
    assert "20 root seeds, 60 tasks" in body
    assert "Built-in teacher" not in body


def test_the_card_shows_the_diversity_of_its_rounds_in_words_and_as_a_chart(tmp_path: Path) -> None:
    tasks: dict[str, TaskSpec] = {}
    selection = many(6, tasks)
    measured = {name: measure(list(tasks.values()), []) for name in ("round-0001", "round-0002")}
    write_dataset(tmp_path / "d", selection.rows, {}, made_by="run-1", diversity=measured)
    body = card(tmp_path / "d")[1]
    for name, each in measured.items():
        assert f"| {name} | {in_words(each)} |" in body
    assert "![Diversity by round](diversity.png)" in body
    assert (tmp_path / "d" / "diversity.png").read_bytes().startswith(b"\x89PNG")
    write_dataset(tmp_path / "d", selection.rows, {}, made_by="run-1")
    assert "Diversity" not in card(tmp_path / "d")[1]


def test_the_card_says_when_the_built_in_teacher_acted(tmp_path: Path) -> None:
    selection = selected(solved("t", teacher="builtin"))
    write_dataset(tmp_path / "d", selection.rows, selection.funnel, made_by="run-1")
    assert "they are not the work of a language model" in card(tmp_path / "d")[1]


def test_an_empty_selection_gives_a_folder_that_reads_as_no_rows(tmp_path: Path) -> None:
    selection = selected(solved("t", outcome="unsolved"))
    write_dataset(tmp_path / "d", selection.rows, selection.funnel, made_by="run-1")
    frame = pl.read_parquet(tmp_path / "d" / "**" / "*.parquet", hive_partitioning=False)
    assert frame.is_empty()
    assert set(frame.columns) == COLUMNS.keys() - {"split"}
    header, body = card(tmp_path / "d")
    assert [part["split"] for part in header["configs"][0]["data_files"]] == ["train"]
    assert "| train | 0 |" in body


def test_writing_again_replaces_the_whole_folder(tmp_path: Path) -> None:
    write_dataset(tmp_path / "d", many(60, {}).rows, {}, made_by="run-1")
    (tmp_path / "d" / "left over").touch()
    write_dataset(tmp_path / "d", selected(solved("t")).rows, {}, made_by="run-2")
    assert [p.name for p in tmp_path.iterdir()] == ["d"]
    assert pl.read_parquet(tmp_path / "d" / "**" / "*.parquet").height == 1
    assert not (tmp_path / "d" / "left over").exists()


def test_a_dataset_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=256) as disk:
        write_dataset(disk / "d", selected(solved("t")).rows, {}, made_by="run-1")
        random = Random(1)
        big = selected(*(solved(f"t{n}", random.randbytes(2_000).hex()) for n in range(400)))
        with pytest.raises(ConfigurationError, match="No space left"):
            write_dataset(disk / "d", big.rows, {}, made_by="run-2")
        assert [p.name for p in disk.iterdir()] == ["d"]
        assert pl.read_parquet(disk / "d" / "**" / "*.parquet").height == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=str(tmp_path / "file")) as failed:
        write_dataset(tmp_path / "file" / "d", selected(solved("t")).rows, {}, made_by="run-1")
    assert "OUTPUT_DIR" in failed.value.remedy


@pytest.mark.parametrize("name", ["../../victim", "..", "a/b", "-x", "a b", ".hidden", ""])
def test_a_release_whose_name_is_no_folders_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name a folder"):
        release_folder(tmp_path, name)


def test_a_release_is_never_overwritten(tmp_path: Path) -> None:
    release_folder(tmp_path, "v1.2").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="never changed"):
        release_folder(tmp_path, "v1.2")
