"""Written datasets: what lies in the folder, that trainers' tools read it, and that it is whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
import yaml  # type: ignore[import-untyped]

from adp_assets.curation.curate import curate
from adp_assets.curation.decontamination.evaluation import EvaluationSet
from adp_assets.curation.recipe import recipe_of
from adp_assets.curation.release.gates import without_secrets
from adp_assets.curation.release.manifest import (
    HITS,
    LINEAGE,
    changed_files,
    lineage_hash,
    read_manifest,
    split_sizes,
)
from adp_assets.curation.release.publish import Dataset, publish
from adp_assets.curation.release.releases import Held, holders, release_folder, release_named, releases
from adp_assets.curation.render import training_messages
from adp_assets.diversity.measure import Measures, measure
from adp_assets.diversity.shown import in_words
from adp_assets.findings import Finding
from adp_assets.report.content import Report
from runtimes.contracts import Lineage, TaskSpec, Trajectory
from runtimes.errors import ConfigurationError
from tests.adp_assets.curation.stored import stored
from tests.adp_assets.tasks import solved, step, task
from tests.adp_resources.disks import small_disk

NEVER = 1.0


def dataset(
    folder: Path,
    *trajectories: Trajectory,
    tasks: Mapping[str, TaskSpec] | None = None,
    name: str = "trial",
    evaluation: Path | None = None,
    diversity: Mapping[str, Measures] = {},
    **recipe: Any,
) -> Dataset:
    """The dataset of these trajectories, their rows stored in `folder`."""
    store = stored(folder, *trajectories, tasks=tasks)
    chosen = recipe_of({"near_duplicates": None, **recipe}, "the test's recipe")
    items = EvaluationSet.read(evaluation) if evaluation else None
    return Dataset(
        name=name,
        recipe=chosen,
        store=store,
        curation=curate(store, chosen, difficulty={}, evaluation=items),
        evaluation=(str(evaluation), items) if items else None,
        diversity=diversity,
        recorded=lambda ids: {f"{t.round}/{t.task_id}/{t.sample}": t for t in trajectories},
        report=Report(title=name, count=0, trajectories=[]),
        made_by="run-1",
        made_at=100.0,
    )


def families(tmp_path: Path, count: int, tasks: dict[str, TaskSpec], **options: Any) -> Dataset:
    """So many successes, in families of three: a seed and two tasks made from it."""
    for number in range(count):
        lineage = Lineage(root_id=f"seed-{number // 3}", generation=number % 3, source="/a/tasks.jsonl")
        tasks[f"t{number}"] = task(f"t{number}", lineage=lineage)
    found = [solved(name, name[1:]) for name in tasks]
    return dataset(tmp_path / "rows", *found, tasks=tasks, **options)


def card(folder: Path) -> tuple[dict[str, Any], str]:
    text = (folder / "README.md").read_text(encoding="utf-8")
    _, header, body = text.split("---\n", 2)
    return yaml.safe_load(header), body


def passed(found: Mapping[str, Finding]) -> bool:
    return all(finding.passed or not finding.stops for finding in found.values())


def test_a_written_dataset_is_loaded_by_the_tools_people_train_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    tasks: dict[str, TaskSpec] = {}
    made = families(tmp_path, 60, tasks)
    folder = tmp_path / "datasets" / "round-0001"
    assert passed(publish(folder, made, NEVER))
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {split: part.num_rows for split, part in loaded.items()} == split_sizes(made.curation.kept)
    assert set(loaded) == {"train", "test"}
    row = loaded["train"][0]
    assert row["messages"] == training_messages(solved(row["task_id"], row["task_id"][1:]))
    assert row["messages"][2]["tool_calls"][0]["function"]["arguments"] == {"code": "print(42)"}
    assert row["tools"] == solved().tools
    assert row["root_id"] == tasks[row["task_id"]].lineage.root_id


def test_every_shape_that_was_asked_for_is_loaded_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    good = [solved(f"t{n}") for n in range(20)]
    bad = [solved(f"t{n}", "41", sample=1, outcome="unsolved", success=False, reward=0.0) for n in range(20)]
    made = dataset(tmp_path / "rows", *good, *bad, shapes=["sft", "steps", "preference", "rl"])
    folder = tmp_path / "release"
    assert passed(publish(folder, made, NEVER))
    rows = {
        name: sum(
            part.num_rows
            for part in datasets.load_dataset(str(folder), name, cache_dir=str(tmp_path / "c")).values()
        )
        for name in ("default", "steps", "preference", "rl")
    }
    assert rows == {"default": 20, "steps": 40, "preference": 20, "rl": 20}


def test_the_manifest_and_the_lineage_tell_where_each_row_went(tmp_path: Path) -> None:
    made = dataset(
        tmp_path / "rows",
        solved("good"),
        solved("bad", outcome="unsolved", success=False, reward=0.0),
        splits={"train": 1.0},
    )
    folder = tmp_path / "releases" / "v1"
    assert passed(publish(folder, made, NEVER))
    found = read_manifest(folder)
    assert found["recipe"] == {"near_duplicates": None, "splits": {"train": 1.0}}
    assert found["rounds"]["round-0001"]["rows"] == 2
    assert (found["splits"], found["made_by"]) == ({"train": 1}, "run-1")
    lineage = pl.read_parquet(folder / LINEAGE)
    assert dict(lineage.select("task_id", "dropped").iter_rows()) == {"good": "", "bad": "verified success"}
    assert holders(tmp_path, ["good"]) == {"v1": Held(folder, rows=1, left_out=0)}
    assert holders(tmp_path, ["bad"]) == {"v1": Held(folder, rows=0, left_out=1)}
    assert holders(tmp_path, ["unknown"]) == {}
    assert [each.name for each in releases(tmp_path)] == ["v1"]
    with pytest.raises(ConfigurationError, match="no release v2") as failed:
        release_named(tmp_path, "v2")
    assert "v1" in failed.value.remedy


def test_a_file_that_was_changed_or_is_gone_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "v1"
    publish(folder, families(tmp_path, 30, {}), NEVER)
    manifest = read_manifest(folder)
    assert list(changed_files(folder, manifest)) == []
    (folder / "README.md").write_text("another card")
    (folder / "funnel.png").unlink()
    assert sorted(changed_files(folder, manifest)) == ["README.md was changed", "funnel.png is missing"]


@pytest.mark.parametrize("content", [b"", b'{"name": "v1"', b"[]"])
def test_half_a_manifest_is_told_of(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"manifest\.json is n"):
        read_manifest(tmp_path)


def test_the_same_rows_and_recipe_give_the_same_data_files(tmp_path: Path) -> None:
    for name in ("one", "other"):
        publish(tmp_path / name, families(tmp_path, 60, {}, shapes=["sft", "steps"], per_root=2), NEVER)
    one, other = (read_manifest(tmp_path / name) for name in ("one", "other"))
    assert one["digest"] == other["digest"]
    assert one["files"] == other["files"]


def test_each_shard_names_the_schema_version_the_run_and_its_lineage(tmp_path: Path) -> None:
    made = families(tmp_path, 60, {})
    publish(tmp_path / "d", made, NEVER)
    kept = pl.read_parquet_metadata(next((tmp_path / "d" / "split=test").glob("*.parquet")))
    assert kept["run_id"] == "run-1"
    assert kept["lineage_hash"] == lineage_hash(made.curation.kept)
    assert lineage_hash(made.curation.kept) == lineage_hash(made.curation.kept.reverse())
    assert kept["schema_version"]


def test_the_card_names_splits_counts_teachers_and_lineage(tmp_path: Path) -> None:
    publish(tmp_path / "round-0001", families(tmp_path, 60, {}, name="round-0001"), NEVER)
    header, body = card(tmp_path / "round-0001")
    (config,) = header["configs"]
    assert config["data_files"] == [
        {"split": split, "path": f"split={split}/*.parquet"} for split in ("train", "test")
    ]
    assert header["size_categories"] == ["n<1K"]
    assert header["language"] == ["en"]
    assert "# round-0001" in body
    assert "| verified success | 60 |" in body
    assert "| gemini / gemini-1 | 60 |" in body
    assert "20 root seeds, 60 tasks, 20 families" in body
    assert "| tasks.jsonl | unknown | 60 |" in body
    assert "Not checked against any evaluation set" in body
    assert "Built-in teacher" not in body
    assert (tmp_path / "round-0001" / "funnel.png").read_bytes().startswith(b"\x89PNG")


def test_the_card_shows_the_diversity_of_its_rounds_in_words_and_as_a_chart(tmp_path: Path) -> None:
    tasks: dict[str, TaskSpec] = {}
    families(tmp_path, 6, tasks)
    measured = {name: measure(list(tasks.values()), []) for name in ("round-0001", "round-0002")}
    publish(tmp_path / "d", families(tmp_path, 6, {}, diversity=measured), NEVER)
    body = card(tmp_path / "d")[1]
    for name, each in measured.items():
        assert f"| {name} | {in_words(each)} |" in body
    assert "![Diversity by round](diversity.png)" in body
    assert (tmp_path / "d" / "diversity.png").read_bytes().startswith(b"\x89PNG")


def test_the_card_says_when_the_built_in_teacher_acted(tmp_path: Path) -> None:
    made = dataset(tmp_path / "rows", solved("t", teacher="builtin"), builtin=True)
    publish(tmp_path / "d", made, NEVER)
    assert "they are not the work of a language model" in card(tmp_path / "d")[1]


def test_items_of_evaluation_sets_stay_out_and_the_evidence_is_kept(tmp_path: Path) -> None:
    (tmp_path / "eval").mkdir()
    question = "A train leaves Lyon at nine and goes ninety miles an hour; when is it in Nice?"
    (tmp_path / "eval" / "trains.jsonl").write_text(f'{{"question": "{question}"}}\n')
    copied = solved("copied", prompt=[{"role": "user", "content": f"Solve this. {question} Be brief."}])
    made = dataset(
        tmp_path / "rows", copied, solved("good"), evaluation=tmp_path / "eval", splits={"train": 1.0}
    )
    assert made.curation.kept["task_id"].to_list() == ["good"]
    assert passed(publish(tmp_path / "d", made, NEVER))
    (hit,) = pl.read_parquet(tmp_path / "d" / HITS).iter_rows(named=True)
    assert (hit["id"], hit["file"], hit["place"]) == ("round-0001/copied/0", "trains.jsonl", 1)
    assert "train leaves Lyon" in hit["evidence"]
    assert "Checked against 1 items of trains.jsonl" in card(tmp_path / "d")[1]


def test_no_rows_give_a_folder_that_reads_as_no_rows(tmp_path: Path) -> None:
    made = dataset(tmp_path / "rows", solved("t", outcome="unsolved"))
    found = publish(tmp_path / "d", made, NEVER)
    assert not found["splits"].passed
    frame = pl.read_parquet(tmp_path / "d" / "split=*" / "*.parquet", hive_partitioning=False)
    assert frame.is_empty()
    assert {"id", "messages", "tools", "reward"} <= set(frame.columns)


def test_what_a_gate_stops_is_not_put_in_place(tmp_path: Path) -> None:
    made = dataset(tmp_path / "rows", solved("t"))
    found = publish(tmp_path / "d", made, NEVER, blocking=True)
    assert [name for name, finding in found.items() if finding.stops and not finding.passed] == ["splits"]
    assert found["splits"].faults == ("sft hf test",)
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def test_writing_again_replaces_the_whole_folder(tmp_path: Path) -> None:
    publish(tmp_path / "d" / "r", families(tmp_path, 60, {}), NEVER)
    (tmp_path / "d" / "r" / "left over").touch()
    publish(tmp_path / "d" / "r", dataset(tmp_path / "rows", solved("t")), NEVER)
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["r"]
    assert pl.read_parquet(tmp_path / "d" / "r" / "split=*" / "*.parquet").height == 1
    assert not (tmp_path / "d" / "r" / "left over").exists()


def test_a_dataset_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=512) as disk:
        publish(disk / "d", dataset(tmp_path / "rows", solved("t")), NEVER)
        random = Random(1)
        big = [solved(f"t{n}", random.randbytes(2_000).hex()) for n in range(600)]
        with pytest.raises(ConfigurationError, match="No space left"):
            publish(disk / "d", dataset(tmp_path / "more", *big), NEVER)
        assert [p.name for p in disk.iterdir()] == ["d"]
        assert pl.read_parquet(disk / "d" / "split=*" / "*.parquet").height == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=str(tmp_path / "file")) as failed:
        publish(tmp_path / "file" / "d", dataset(tmp_path / "rows", solved("t")), NEVER)
    assert "OUTPUT_DIR" in failed.value.remedy


@pytest.mark.parametrize("name", ["../../victim", "..", "a/b", "-x", "a b", ".hidden", ""])
def test_a_release_whose_name_is_no_folders_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name a folder"):
        release_folder(tmp_path, name)


def test_a_release_is_never_overwritten(tmp_path: Path) -> None:
    release_folder(tmp_path, "v1.2").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="never changed"):
        release_folder(tmp_path, "v1.2")


def test_a_call_that_holds_a_key_is_found_in_what_was_written(tmp_path: Path) -> None:
    leaky = solved("t", steps=[step(1, "f", '{"text": "a\\nAKIAIOSFODNN7ABCDEFG"}', "ok"), *solved().steps])
    made = dataset(tmp_path / "rows", leaky, solved("u"), secrets="keep", formats=["hf", "openai-jsonl"])
    publish(tmp_path / "d", made, NEVER)
    found = without_secrets(tmp_path / "d", made.recipe)
    assert found.passed, "it was told to keep them"
    found = without_secrets(tmp_path / "d", recipe_of({}, "here"))
    assert not found.passed
    assert any("jsonl" in fault for fault in found.faults)
    assert any("parquet" in fault for fault in found.faults)


def test_rows_that_are_made_anew_meanwhile_give_no_release(tmp_path: Path) -> None:
    made = dataset(tmp_path / "rows", solved("a"), solved("b", "43"), splits={"train": 1.0})
    stored(tmp_path / "rows", solved("b", "43"), solved("a"), solved("c"))
    with pytest.raises(ConfigurationError, match="round-0001 were made anew meanwhile"):
        publish(tmp_path / "d", made, NEVER, blocking=True)
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def test_a_release_that_another_put_in_place_meanwhile_stays(tmp_path: Path) -> None:
    made = dataset(tmp_path / "rows", solved("a"), splits={"train": 1.0})
    assert passed(publish(tmp_path / "d", made, NEVER, blocking=True))
    before = read_manifest(tmp_path / "d")
    with pytest.raises(ConfigurationError, match="is there already"):
        publish(tmp_path / "d", made, NEVER, blocking=True)
    assert not list(changed_files(tmp_path / "d", before))


def test_where_a_copy_goes_is_in_no_file(tmp_path: Path) -> None:
    made = dataset(tmp_path / "rows", solved("a"), splits={"train": 1.0}, to="memory://somewhere/mine")
    publish(tmp_path / "d", made, NEVER)
    for name in ("README.md", "manifest.json"):
        assert "somewhere" not in (tmp_path / "d" / name).read_text()


def test_the_drift_of_what_was_not_asked_for_stops_nothing(tmp_path: Path) -> None:
    good = [solved(f"a{n}", str(n)) for n in range(20)]
    bad = [
        solved(f"b{n}", outcome="unsolved", success=False, reward=0.0, round="round-0002", created_at=200.0)
        for n in range(20)
    ]
    for each in bad:
        each.task_type = "web"
    found = publish(tmp_path / "d", dataset(tmp_path / "rows", *good, *bad), 0.3)
    assert not found["drift"].passed
    found = publish(tmp_path / "e", dataset(tmp_path / "rows", *good, *bad, task_types=["code"]), 0.3)
    assert found["drift"].passed


def test_a_shape_without_examples_is_told(tmp_path: Path) -> None:
    made = dataset(tmp_path / "rows", solved("a"), splits={"train": 1.0}, shapes=["sft", "preference"])
    assert publish(tmp_path / "d", made, NEVER)["splits"].faults == ("preference hf train",)


def test_pairs_have_verified_winners_and_each_loser_once(tmp_path: Path) -> None:
    winners = [solved(f"t{n}", str(n)) for n in range(4)]
    nobodys = [
        solved(f"t{n}", f"u{n}", sample=1, outcome="unverified", verified=False, reward=None)
        for n in range(4)
    ]
    losers = [
        solved(f"t{n}", "x", sample=at, outcome="unsolved", success=False, reward=0.0)
        for n in range(4)
        for at in (2, 3, 4)
    ]
    recipe = {"shapes": ["preference"], "unverified": True, "splits": {"train": 1.0}}
    publish(tmp_path / "d", dataset(tmp_path / "rows", *winners, *nobodys, *losers, **recipe), NEVER)
    pairs = pl.read_parquet(tmp_path / "d" / "preference" / "split=train" / "*.parquet")
    assert sorted(pairs["chosen_id"]) == [f"round-0001/t{n}/0" for n in range(4)]
    assert pairs["rejected_id"].n_unique() == 4


def test_a_dataset_that_was_made_anew_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets` keeps what it read by the folder's name and the card's header."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    for answer in ("42", "43"):
        made = dataset(tmp_path / "rows", solved("a", answer), splits={"train": 1.0})
        publish(tmp_path / "d", made, NEVER)
        (row,) = datasets.load_dataset(str(tmp_path / "d"), split="train", cache_dir=str(tmp_path / "c"))
        assert row["messages"][-1]["tool_calls"][0]["function"]["arguments"] == {"answer": answer}


def test_a_file_that_was_put_beside_the_others_is_found(tmp_path: Path) -> None:
    publish(tmp_path / "v1", families(tmp_path, 30, {}), NEVER)
    shard = tmp_path / "v1" / "split=train" / "part-00001.parquet"
    shard.write_bytes((tmp_path / "v1" / "split=test" / "part-00000.parquet").read_bytes())
    said = list(changed_files(tmp_path / "v1", read_manifest(tmp_path / "v1")))
    assert said == ["split=train/part-00001.parquet is not of the release"]


def test_no_file_tells_where_task_files_lay(tmp_path: Path) -> None:
    about = {"a": task("a", lineage=Lineage(root_id="a", source="/home/ada/secret-project/tasks.jsonl"))}
    every = {"shapes": ["sft", "rl", "trajectories"], "formats": ["hf", "verl", "seed-json", "atif"]}
    made = dataset(tmp_path / "rows", solved("a"), tasks=about, splits={"train": 1.0}, **every)
    publish(tmp_path / "d", made, NEVER)
    for path in (tmp_path / "d").rglob("*"):
        if path.suffix == ".parquet":
            assert "secret-project" not in pl.read_parquet(path).write_ndjson(), path
        elif path.suffix in {".json", ".jsonl", ".md"}:
            assert "secret-project" not in path.read_text(encoding="utf-8"), path


def test_that_nothing_was_held_against_is_a_warning(tmp_path: Path) -> None:
    made = dataset(tmp_path / "rows", solved("a"), splits={"train": 1.0})
    found = publish(tmp_path / "d", made, NEVER, blocking=True)["contamination"]
    assert (found.passed, found.stops) == (False, False)
    assert "no evaluation set was named" in found.said
