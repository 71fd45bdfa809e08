"""Recipes: what is taken, and how what is wrong in one is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adp_assets.curation.recipe import Recipe, read_recipe, recipe_of
from runtimes.errors import ConfigurationError


def test_an_empty_recipe_takes_verified_successes_without_the_built_in_teachers() -> None:
    recipe = recipe_of({}, "here")
    assert recipe == Recipe()
    assert (recipe.min_reward, recipe.builtin, recipe.judged, recipe.unverified) == (1.0, False, False, False)
    assert recipe.splits == {"train": 0.9, "test": 0.1}


def test_a_recipe_is_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "coders.yaml"
    path.write_text(
        "task_types: code\ndifficulty: [0.2, null]\nsplits: {train: 0.8, test: 0.2}\nshapes: [sft, rl]\n"
    )
    recipe = recipe_of(read_recipe(path), str(path))
    assert recipe.task_types == ["code"]
    assert recipe.difficulty == (0.2, None)
    assert recipe.shapes == ["sft", "rl"]
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert read_recipe(tmp_path / "empty.yaml") == {}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"min_rewards": 1}, "there is no key min_rewards"),
        ({"min_reward": 2}, r"min_reward: Input should be less than or equal to 1 \(got 2\)"),
        ({"difficulty": [0.9, 0.1]}, "difficulty: the least, 0.9, is above the most, 0.1"),
        ({"splits": {"test": 1.0}}, "splits has no `train`"),
        ({"splits": {"train": 0.5, "test": 0.2}}, "add up to 0.7, not to 1"),
        ({"splits": {"train": 1.0, "test": 0}}, "the share of test is 0, and must be above 0"),
        ({"mixture": {"code": -1}}, "the share of code is -1"),
        ({"shapes": ["sft", "dpo"]}, "shapes.1: Input should be 'sft'"),
        ({"shapes": []}, "shapes: List should have at least 1 item"),
        ({"near_duplicates": 0.1}, "near_duplicates: Input should be greater than or equal to 0.5"),
        ({"min_reward": 2, "seed": "x"}, "min_reward.*; seed"),
        ({"splits": {"train": 0.9, "../esc": 0.1}}, r"a split cannot be named '\.\./esc'"),
        ({"splits": {"train": 0.9, "held-out": 0.1}}, "a split cannot be named 'held-out'"),
        ({"mixture": {"code": float("inf")}}, "the share of code is inf"),
    ],
)
def test_what_is_wrong_is_told_by_place_and_key(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as failed:
        recipe_of(values, "coders.yaml")
    assert failed.value.message.startswith("coders.yaml: ")
    assert "task_types" in failed.value.remedy


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"rounds: [a\n", "not YAML: .*line 2"),
        (b"- a\n- b\n", "is a list, not keys and values"),
        (b"\xff\xfe\x00", "is not YAML"),
    ],
)
def test_a_file_that_is_no_recipe_is_told_of(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "r.yaml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        read_recipe(tmp_path / "r.yaml")


def test_a_recipe_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml cannot be read: No such file"):
        read_recipe(tmp_path / "none.yaml")


def test_a_round_that_is_named_twice_is_taken_once() -> None:
    assert recipe_of({"rounds": ["b", "a", "b"]}, "here").rounds == ["b", "a"]


def test_an_address_with_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="to: an address must not hold") as failed:
        recipe_of({"to": "s3://KEY:hunter2@bucket/x"}, "here")
    assert "hunter2" not in f"{failed.value.message} {failed.value.remedy}"
    assert recipe_of({"to": "s3://bucket/x@y"}, "here").to == "s3://bucket/x@y"
