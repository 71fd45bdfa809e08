"""Families and splits: who is kin, and that a family falls into one split, the same in every dataset."""

from __future__ import annotations

import polars as pl

from adp_assets.curation.families import families, splits_of

SHARES = {"train": 0.9, "test": 0.1}


def test_roots_are_one_family_through_any_chain_of_near_copies() -> None:
    rows = pl.DataFrame(
        {"root_id": ["d", "b", "b", "c", "c", "a", "e"], "kin": [0, 0, 1, 1, 2, 2, 3]},
    )
    assert families(rows).to_list() == ["a", "a", "a", "a", "a", "a", "e"]
    assert families(rows.reverse()).to_list() == ["e", "a", "a", "a", "a", "a", "a"]


def test_a_family_falls_into_the_same_split_whatever_else_there_is() -> None:
    names = [f"seed-{n}" for n in range(2_000)]
    found = splits_of(names, SHARES)
    assert 150 < list(found.values()).count("test") < 250
    assert splits_of(names[500:1_500], SHARES) == {name: found[name] for name in names[500:1_500]}
    more = splits_of(names, {"train": 0.8, "test": 0.1, "validation": 0.1})
    assert {name for name in names if more[name] == "test"} == {
        name for name in names if found[name] == "test"
    }


def test_no_split_is_empty_while_there_are_families_enough() -> None:
    shares = {"train": 0.98, "validation": 0.01, "test": 0.01}
    for count in range(3, 30):
        assert set(splits_of([f"s{n}" for n in range(count)], shares).values()) == set(shares)
    for number in range(30):
        assert set(splits_of([f"only-{number}"], SHARES).values()) == {"train"}
    assert splits_of([], SHARES) == {}
