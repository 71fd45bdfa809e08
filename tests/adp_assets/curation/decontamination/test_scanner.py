"""Which texts are flagged, for how much of which item, with what evidence."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import polars as pl
import pytest

from adp_assets.curation.decontamination.evaluation import EvaluationSet
from adp_assets.curation.decontamination.scanner import COLUMNS, Scanner
from tests.adp_assets.curation.decontamination.sets import evaluation, real, written

QUESTION = (
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins for her "
    "friends every day with four. How much does she make at the farmers' market?"
)
CHINESE = "小明有十六个苹果,每天早上吃三个,剩下的在市场上卖掉,每个两元。请问他每天能赚多少钱?"
WORDS = [f"word{number}" for number in range(3_000)]


def scanned(set_: EvaluationSet, *texts: str | None) -> pl.DataFrame:
    ids = pl.Series([f"t{number}" for number in range(len(texts))], dtype=pl.String)
    return Scanner(set_).scan(ids, pl.Series(texts, dtype=pl.String))


def test_a_copy_in_other_case_punctuation_and_width_is_flagged_with_evidence(tmp_path: Path) -> None:
    copy = (
        QUESTION.upper().replace("'", "’").replace(",", " ;").replace("16", "１６").replace(" ", "\u00a0\n")
    )
    found = scanned(
        evaluation(tmp_path, ["Another question, about other things and none of it here.", QUESTION]), copy
    )
    (row,) = found.to_dicts()
    assert (row["id"], row["file"], row["place"], row["field"]) == ("t0", "set.jsonl", 2, "question")
    assert row["coverage"] == row["coverage_13"] == 1.0
    assert row["item"] == QUESTION
    assert row["evidence"].startswith("JANET’S\u00a0\nDUCKS\u00a0\nLAY\u00a0\n１６")
    assert len(row["evidence"]) <= 200


def test_the_passage_is_given_as_it_is_written_in_the_text(tmp_path: Path) -> None:
    half = QUESTION.split(". ")[1]
    text = f"Before it, all is clean… {half}; after it (too)!"
    (row,) = scanned(evaluation(tmp_path, [QUESTION]), text).to_dicts()
    assert row["evidence"] == half + ";"
    assert 0.2 < row["coverage"] < 1.0
    assert row["coverage_13"] < row["coverage"]


def test_a_fifth_of_an_item_is_not_flagged_and_more_is(tmp_path: Path) -> None:
    words = WORDS[:107]
    found = evaluation(tmp_path, [" ".join(words)])
    fifth, more = (" ".join(["so", *words[:count], "on"]) for count in (27, 28))
    assert scanned(found, fifth, more)["id"].to_list() == ["t1"]
    assert scanned(found, more)["coverage"].to_list() == [0.21]
    strict = Scanner(found, flagged_above=0.5)
    assert strict.scan(pl.Series(["a"]), pl.Series([more])).is_empty()


def test_an_item_of_few_words_is_found_whole_or_not_at_all(tmp_path: Path) -> None:
    found = evaluation(tmp_path, ["Show me my wish list"])
    rows = scanned(
        found, "First: show me my wish-list!", "show me my list of a wish", "Show me my wish", "wish list"
    )
    assert rows.select("id", "coverage", "coverage_13", "evidence").rows() == [
        ("t0", 1.0, None, "show me my wish-list!")
    ]


def test_chinese_is_found_by_its_characters(tmp_path: Path) -> None:
    found = evaluation(tmp_path, [CHINESE, QUESTION])
    rows = scanned(
        found,
        f"题目:{CHINESE[:30]}谢谢",
        "请写一个函数,计算一百以内所有偶数的平方和。",
        CHINESE.replace(",", "，"),
    )
    assert rows["id"].to_list() == ["t0", "t2"]
    assert rows["place"].to_list() == [1, 1]
    assert rows["evidence"][0].strip("题目:谢") == CHINESE[:30].strip(",")
    assert rows["coverage"][1] == 1.0


def test_wording_that_a_whole_set_shares_flags_nothing(tmp_path: Path) -> None:
    preamble = "You are given a problem. Think step by step and put the final answer into a box at the end."
    rng = random.Random(1)
    tasks = [" ".join(rng.choices(WORDS, k=30)) for _ in range(20)]
    found = evaluation(tmp_path, [*(f"{preamble} {task}" for task in tasks), *[preamble] * 12])
    rows = scanned(found, f"{preamble} What is two and two?", f"They asked: {tasks[3]}")
    assert rows.select("id", "place").rows() == [("t1", 4)]
    assert rows["coverage"][0] > 0.7
    assert Scanner(found).unrecognisable == 1


def test_copies_of_a_set_in_many_files_are_told_once_and_hide_nothing(tmp_path: Path) -> None:
    for number in range(12):
        written(tmp_path / f"copy{number:02}.jsonl", [{"q": QUESTION}])
    rows = scanned(EvaluationSet.read(tmp_path), QUESTION)
    assert rows.select("file", "coverage").rows() == [("copy00.jsonl", 1.0)]


def test_numbers_changed_in_a_copy_do_not_hide_it(tmp_path: Path) -> None:
    changed = re.sub(r"16|three|four", "99", QUESTION)
    assert scanned(evaluation(tmp_path, [QUESTION]), changed).height == 1


def test_texts_without_an_item_and_no_texts_give_an_empty_frame(tmp_path: Path) -> None:
    found = evaluation(tmp_path, [QUESTION])
    for rows in (scanned(found), scanned(found, None, "", "\0", "nothing of it", "，。")):
        assert rows.schema == {"id": pl.String(), **COLUMNS}
        assert rows.is_empty()


def test_ids_keep_their_type_and_each_item_of_a_text_has_a_row(tmp_path: Path) -> None:
    found = evaluation(tmp_path, [QUESTION, CHINESE])
    rows = Scanner(found).scan(pl.Series([7, 8, 9]), pl.Series([CHINESE, "clean", f"{QUESTION}\n{CHINESE}"]))
    assert rows.select("id", "place").rows() == [(7, 2), (9, 1), (9, 2)]


def test_an_item_in_a_text_of_ten_megabytes_is_found(tmp_path: Path) -> None:
    rng = random.Random(2)
    filler = " ".join(rng.choices(WORDS, k=700_000))
    (row,) = scanned(evaluation(tmp_path, [QUESTION]), "a", f"{filler} {QUESTION} {filler}").to_dicts()
    assert (row["id"], row["coverage"]) == ("t1", 1.0)
    assert row["evidence"][:100] == QUESTION[:100]


@pytest.mark.parametrize("seed", range(3))
def test_coverage_is_that_of_comparing_sets_of_words(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    items = [" ".join(rng.choices(WORDS, k=rng.randint(8, 60))) for _ in range(40)]
    texts = []
    for _ in range(200):
        words = rng.choice(items).split()
        start = rng.randrange(len(words))
        texts.append(" ".join([*rng.choices(WORDS, k=20), *words[start : start + rng.randint(5, 40)]]))
    expected = {
        (f"t{row}", place, share)
        for row, text in enumerate(texts)
        for place, item in enumerate(items, start=1)
        if (share := len(grams(text) & grams(item)) / len(grams(item))) > 0.2
    }
    rows = scanned(evaluation(tmp_path, items), *texts)
    assert set(rows.select("id", "place", "coverage").rows()) == expected
    assert expected


def test_real_problems_are_found_and_other_problems_are_not(tmp_path: Path) -> None:
    found = real(tmp_path)
    problems = [item.text for item in found.items if item.field in ("question", "intent")]
    rng = random.Random(3)
    planted = rng.sample(problems, 100)
    rows = scanned(found, *(f"User: {text}\nAgent: done." for text in planted))
    assert rows["id"].n_unique() == 100
    examples = Path(__file__).parents[4] / "examples" / "tasks.jsonl"
    clean = [json.loads(line)["description"] for line in examples.read_text().splitlines()]
    assert scanned(found, *clean).is_empty()


def grams(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[start : start + 8]) for start in range(len(words) - 7)}
