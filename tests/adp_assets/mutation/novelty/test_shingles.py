"""What likeness is measured by, in English and in Chinese."""

from __future__ import annotations

import pytest

from adp_assets.mutation.novelty.shingles import (
    NEAR_COPY,
    hashes,
    is_current,
    jaccard,
    packed,
    shingles,
    unpacked,
)

KNOWN = "Write a Python function that adds two numbers and returns the sum as an integer."


def test_shingles_of_chinese_are_made_of_characters() -> None:
    assert shingles("求一百") == {"求 一 百"}
    assert shingles("求一百以内 Python sum") == {
        *("求 一 百", "一 百 以", "百 以 内", "以 内 python", "内 python sum")
    }


def test_near_copies_are_told_from_other_tasks_in_chinese_as_in_english() -> None:
    chinese = "请写一个函数，计算一百以内所有偶数的平方和，并返回整数结果。"
    copy = chinese.replace("一百", "二百")
    other = "请打开商店页面，搜索红色雨伞，把两把加入购物车并完成结账。"
    assert jaccard(shingles(chinese), shingles(copy)) >= NEAR_COPY
    assert jaccard(shingles(chinese), shingles(other)) < 0.2
    assert jaccard(shingles(KNOWN), shingles("Open the shop and put a red umbrella into the cart.")) < 0.2


def test_short_and_empty_texts_can_be_compared() -> None:
    assert shingles("Add it") == {"add", "it"}
    assert jaccard(shingles("Add it"), shingles("add IT")) == 1.0
    assert jaccard(shingles(""), shingles("")) == 0.0


@pytest.mark.parametrize("text", [KNOWN, "求一百以内所有素数", "", "one", "a lone surrogate \ud800 in it"])
def test_hashes_are_as_many_as_shingles_and_come_back_from_the_database_as_they_were(text: str) -> None:
    own = hashes(text)
    assert own.size == len(shingles(text))
    assert is_current(packed(own))
    assert unpacked(packed(own)).tolist() == own.tolist() == sorted(own.tolist())


def test_hashes_are_the_same_for_ever() -> None:
    """What databases hold was made by earlier versions of this code."""
    assert packed(hashes("Add it")).hex() == GOLDEN


def test_hashes_of_another_version_are_told_apart() -> None:
    other = b"\x07" + packed(hashes(KNOWN))[1:]
    assert not is_current(other)
    assert not is_current(None)


GOLDEN = "0100000000000000a9c5eb2e08847303808ed23fe152b3ff"
