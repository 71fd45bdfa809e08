"""Languages: what texts are in, what is of any, and that no task of ours is taken for another's."""

from __future__ import annotations

import random
from typing import get_args

import pytest

from adp_assets.languages import Language, language_of, other_language, own_language
from runtimes.llm.teacher.families import ALL_FAMILIES


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Write a function that adds two numbers.", "en"),
        ("Escribe una función que sume dos números.", "es"),
        ("Napisz funkcję, która dodaje dwie liczby.", "pl"),
        ("Viết một hàm cộng hai số.", "vi"),
        ("写一个函数 sort_list", "zh"),
        ("用 Python 写 add_numbers(text),返回和。", "zh"),
        ("A function named 求和 that adds numbers up", "en"),
        ("二つの数を足す関数を書いてください。", "ja"),
        ("두 수를 더하는 함수를 작성하세요", "ko"),
        ("Run `add` of https://example.test/数学/文件 and say what the sum of it is.", "en"),
        ("", None),
        ("1 + 1 = ?", None),
        ("def add(a, b): return a + b", None),
        ("import os\nfor i in range(10):\n    print(os.getpid())", None),
        ("Alice, Bob, Carol: 3, 4, 5", None),
    ],
)
def test_the_language_of_a_text_is_told_where_it_is_sure(text: str, language: str | None) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("language", get_args(Language))
def test_every_task_of_the_teachers_is_in_its_language(language: Language) -> None:
    rng = random.Random(1)
    told = [
        language_of(family.render(family.sample(rng), language, wording))
        for family in ALL_FAMILIES
        for wording in range(10)
    ]
    assert set(told) == {language}


def test_our_own_sentences_are_chinese_for_chinese_and_english_for_all_others() -> None:
    french = "Écris une fonction qui additionne deux nombres."
    assert [own_language(text) for text in ("写一个函数。", french, "1 + 1")] == ["zh", "en", "en"]
    assert [other_language(each) for each in ("zh", "en", "fr")] == ["en", "zh", "en"]
