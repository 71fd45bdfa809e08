"""What becomes an item of the files in a folder, and what is said of files that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from adp_assets.curation.decontamination.evaluation import EvaluationSet, Item
from runtimes.errors import ConfigurationError
from tests.adp_assets.curation.decontamination.sets import evaluation, real, written

QUESTION = "How many eggs does the farmer sell in a week?"


def test_every_text_of_every_file_is_an_item_that_knows_its_place(tmp_path: Path) -> None:
    written(
        tmp_path / "a.jsonl", [{"question": QUESTION}, {"turns": [{"text": "Open the shop first, please"}]}]
    )
    (tmp_path / "b.json").write_text(json.dumps([{"meta": {"goal": "Buy two red umbrellas today"}}]))
    (tmp_path / "deep").mkdir()
    frame = pl.DataFrame(
        {"n": [1, 2], "task": ["Sort the list of names", None], "picture": [b"x y z w", b""]}
    )
    frame.with_columns(
        pl.struct(said=pl.concat_list(pl.lit("请把价格最低的商品放进购物车"))).alias("more")
    ).write_parquet(tmp_path / "deep" / "c.parquet")
    found = EvaluationSet.read(tmp_path)
    assert found.items == (
        Item("a.jsonl", 1, "question", QUESTION),
        Item("a.jsonl", 2, "turns.text", "Open the shop first, please"),
        Item("b.json", 1, "meta.goal", "Buy two red umbrellas today"),
        Item("deep/c.parquet", 1, "task", "Sort the list of names"),
        Item("deep/c.parquet", 1, "more.said", "请把价格最低的商品放进购物车"),
        Item("deep/c.parquet", 2, "more.said", "请把价格最低的商品放进购物车"),
    )


def test_texts_that_would_be_found_everywhere_are_left_out_and_counted(tmp_path: Path) -> None:
    texts = [
        *("42", "", "shopping_admin", "https://example.org/a/b/c/d/e?f=g-h", "A) yes", "3 1 4 1 5 9 2 6 5"),
        *("9f8a-77b1 0001 2 3", "打开商店页面", QUESTION),
    ]
    found = evaluation(tmp_path, texts)
    assert [item.text for item in found.items] == [QUESTION]
    assert found.left_out == {"set.jsonl": len(texts) - 1}


def test_only_the_fields_that_are_named_are_read(tmp_path: Path) -> None:
    row = {
        "question": QUESTION,
        "eval": {"answers": ["It is this one answer"], "note": "Nothing to see in here"},
    }
    written(tmp_path / "set.jsonl", [row])
    for fields, texts in (
        (["question"], [QUESTION]),
        (["answers", "question"], [QUESTION, "It is this one answer"]),
        (["eval"], ["It is this one answer", "Nothing to see in here"]),
        (["eval.note"], ["Nothing to see in here"]),
    ):
        assert [item.text for item in EvaluationSet.read(tmp_path, fields).items] == texts
    with pytest.raises(ConfigurationError, match="in a field answer"):
        EvaluationSet.read(tmp_path, ["answer"])


def test_json_lines_under_the_name_of_json_are_read(tmp_path: Path) -> None:
    written(tmp_path / "test.json", [{"question": QUESTION}, {"question": "And " + QUESTION}])
    assert [item.place for item in EvaluationSet.read(tmp_path).items] == [1, 2]


def test_hidden_and_foreign_files_are_passed_over(tmp_path: Path) -> None:
    written(tmp_path / ".cache" / "x.jsonl", [{"question": "Not this one in the cache"}])
    (tmp_path / "README.md").write_text("What these files are and where they come from")
    assert len(evaluation(tmp_path, [QUESTION]).items) == 1


def test_lone_surrogates_nulls_and_what_is_no_text_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"q": "one \\ud800 two three four five"}\n\n'
        '[null, 1.5, true, "six seven \\u0000 eight nine ten"]\n'
        '"x"\n'
    )
    texts = [item.text for item in EvaluationSet.read(tmp_path).items]
    assert texts == ["one ? two three four five", "six seven \0 eight nine ten"]


def test_the_digest_is_of_the_items_and_their_places(tmp_path: Path) -> None:
    one = evaluation(tmp_path / "one", [QUESTION, "And what is the other one?"])
    assert one.digest() == evaluation(tmp_path / "two", [QUESTION, "And what is the other one?"]).digest()
    assert one.digest() != evaluation(tmp_path / "three", [QUESTION]).digest()
    assert (
        one.digest()
        != evaluation(tmp_path / "four", [QUESTION, "And what is the other one?"], "b.jsonl").digest()
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"q": "fine"}\n{"q": \n', r"a\.jsonl, line 2 is not JSON"),
        ("a.jsonl", b'{"q": "caf\xe9 au lait"}\n', r"a\.jsonl, line 1 is not JSON"),
        ("a.jsonl", b"[" * 100_000, r"a\.jsonl, line 1 is not JSON"),
        ("a.json", b"<html>\n<body>", r"a\.json is not JSON"),
        ("a.json", b'{"q": "fine"}\n{"q": \n', r"a\.json, line 2 is not JSON"),
        ("a.parquet", b"PAR1 and no more", r"a\.parquet is not Parquet"),
        ("a.parquet", b"", r"a\.parquet is not Parquet"),
        ("a.json", b'["42", "yes"]', r"No text in .* has 4 words"),
        ("notes.txt", b"What is there to say?", r"holds no JSONL, JSON or Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_place(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=said) as raised:
        EvaluationSet.read(tmp_path)
    assert raised.value.remedy


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere is not there"):
        EvaluationSet.read(tmp_path / "nowhere")


def test_items_of_real_sets_are_their_questions_and_tasks(tmp_path: Path) -> None:
    fields = {(item.file, item.field) for item in real(tmp_path).items}
    assert {("gsm8k_test.jsonl", "question"), ("webarena_lite.json", "intent")} <= fields
    assert not {field for _, field in fields} & {"sites", "storage_state", "eval.eval_types", "task_id"}
