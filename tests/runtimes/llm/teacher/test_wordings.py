"""A description holds the whole task: every family reads back what it wrote, and no other claims it."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations
from typing import Any

import pytest

from runtimes.llm.teacher.families import (
    ALL_FAMILIES,
    FAMILIES,
    MULTI_TOOL,
    NEAR_COPY,
    recognise,
    sample_tasks,
)
from runtimes.llm.teacher.families.base import Family
from runtimes.llm.teacher.wording import LANGUAGES, likeness

each_family = pytest.mark.parametrize("family", ALL_FAMILIES, ids=lambda family: family.name)


@each_family
def test_every_wording_is_read_back_as_the_parameters_it_was_written_from(family: Family[Any]) -> None:
    rng = random.Random(1)
    for _ in range(40):
        params = family.sample(rng)
        for language in LANGUAGES:
            for wording in range(3):
                description = family.render(params, language, wording)
                assert recognise(description) == (family, params, language), description


@each_family
def test_a_family_has_three_different_sentences_in_each_language(family: Family[Any]) -> None:
    params = family.sample(random.Random(2))
    for language in LANGUAGES:
        sentences = [family.render(params, language, wording) for wording in range(3)]
        assert all(likeness(a, b) < NEAR_COPY for a, b in combinations(sentences, 2)), sentences


@each_family
def test_mutation_moves_the_level_by_one_and_parameters_at_the_same_level(family: Family[Any]) -> None:
    rng = random.Random(3)
    levels = set()
    for _ in range(40):
        params = family.sample(rng)
        level = family.level(params)
        levels.add(level)
        other, harder, easier = (f(params, rng) for f in (family.neighbour, family.harder, family.easier))
        assert other != params
        assert family.level(other) == level
        assert family.level(harder) == level + 1 if harder is not None else level == family.top_level
        assert family.level(easier) == level - 1 if easier is not None else level == 1
        for mutated in (other, harder, easier):
            if mutated is not None:
                assert recognise(family.render(mutated, "zh", 1)) == (family, mutated, "zh")
    assert len(levels) >= 3


@pytest.mark.parametrize(
    "description",
    [
        "",
        "Write a poem about the sea.",
        "Write a Python function f(n) returning the sum of all positive integers less than n.",
        "写一首诗。",
        "Fill my shopping cart with 2 of Unicorn Horn, nothing else.",
        "a" * 20_000,
        'Contact page, without newsletter, my name Mei Wang. Please submit Order: "' + '", "' * 3_000,
    ],
)
def test_a_wording_no_family_wrote_is_not_recognised(description: str) -> None:
    assert recognise(description) is None


def test_two_hundred_sampled_tasks_share_no_near_copies_and_cover_every_family_and_language() -> None:
    tasks = sample_tasks(200, 11)
    descriptions = [task.description for task in tasks]
    assert max(likeness(a, b) for a, b in combinations(descriptions, 2)) < NEAR_COPY
    assert len({task.task_id for task in tasks}) == 200
    assert Counter(task.task_type for task in tasks) == {"code": 67, "web": 67, "reasoning": 66}
    known = [recognise(description) for description in descriptions]
    drawn = Counter((k.family.name, k.language) for k in known if k is not None)
    assert len(drawn) == len(FAMILIES) * len(LANGUAGES)


def test_a_set_of_multi_tool_tasks_shares_no_near_copies_and_each_takes_three_tools_or_more() -> None:
    tasks = sample_tasks(48, 3, {"reasoning": 48}, families=MULTI_TOOL)
    assert max(likeness(a.description, b.description) for a, b in combinations(tasks, 2)) < NEAR_COPY
    assert {len(set(task.expected_tools) - {"complete_task"}) for task in tasks} == {3, 4}
    assert {known.family for task in tasks if (known := recognise(task.description))} == set(MULTI_TOOL)


def test_sampling_is_repeatable_and_keeps_to_the_shares_asked_for() -> None:
    shares = {"code": 2, "reasoning": 4}
    tasks = sample_tasks(6, 5, shares)
    assert tasks == sample_tasks(6, 5, shares)
    assert tasks != sample_tasks(6, 6, shares)
    assert Counter(task.task_type for task in tasks) == shares
    with pytest.raises(ValueError, match="share out 7 tasks"):
        sample_tasks(7, 5, shares)


def test_likeness_is_of_word_3_grams_and_in_chinese_of_characters() -> None:
    assert likeness("a b c d", "A, b, c: d!") == 1
    assert likeness("a b c d", "a b c e") == pytest.approx(1 / 3)
    assert likeness("天地玄黄", "天地玄红") == pytest.approx(1 / 3)
