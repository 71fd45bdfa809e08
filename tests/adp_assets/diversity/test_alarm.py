"""The alarm: it goes off when variety falls, and not because rounds differ in size."""

from __future__ import annotations

import random

import pytest

from adp_assets.checks import varied_enough
from adp_assets.diversity.alarm import ENOUGH, falls
from adp_assets.diversity.measure import Measures, measure
from tests.adp_assets.selection.pools import made
from tests.adp_assets.tasks import task

WORDS = [f"word{n}" for n in range(400)]


def round_of(size: int, *, domains: int = 20, words: int = 400, seed: int = 0) -> Measures:
    """A round of tasks made of so many words about so many domains, both at random."""
    chance = random.Random(seed)
    return measure(
        [
            made(
                f"t{n}",
                "s",
                domain=f"domain{chance.randrange(domains)}",
                description=" ".join(chance.choices(WORDS[:words], k=20)),
            )
            for n in range(size)
        ],
        [],
    )


@pytest.mark.parametrize(("first", "now"), [(40, 400), (400, 40), (100, 100)])
def test_rounds_of_different_size_and_the_same_variety_raise_no_alarm(first: int, now: int) -> None:
    finding = varied_enough({"r1": round_of(first), "r2": round_of(now, seed=1)}, 0.1)
    assert finding.passed, finding.said


@pytest.mark.parametrize(
    ("now", "fallen"),
    [
        (round_of(400, domains=4, seed=1), ("domain entropy",)),
        (round_of(400, words=8, seed=1), ("distinct 3-grams",)),
        (round_of(400, domains=1, words=8, seed=1), ("domain entropy", "distinct 3-grams")),
    ],
)
def test_a_fall_beyond_what_is_allowed_warns_and_stops_nothing(now: Measures, fallen: tuple[str]) -> None:
    finding = varied_enough({"r1": round_of(40), "r2": round_of(40, seed=2), "r3": now}, 0.1)
    assert (finding.passed, finding.stops, finding.faults) == (False, False, fallen)
    assert finding.said.startswith("against r1: domain entropy ")
    assert varied_enough({"r1": round_of(40), "r3": now}, 1.0).passed


def test_a_fall_is_told_with_both_values() -> None:
    compared = falls({"r1": round_of(40, domains=3, seed=3), "r2": round_of(40, domains=1)})
    assert compared is not None
    assert str(compared[1][0]) == "domain entropy 1.58 at first, 0.00 now (-100%)"


def test_people_s_tasks_are_not_compared_nor_are_rounds_of_few_made_ones() -> None:
    people = measure([task(f"t{n}", metadata={"domain": str(n)}) for n in range(50)], [])
    few = round_of(ENOUGH - 1)
    poor = round_of(ENOUGH, domains=1, words=8)
    for chain in ({"r1": people, "r2": poor}, {"r1": few, "r2": poor}, {"r1": poor, "r2": few}, {}):
        finding = varied_enough(chain, 0.1)
        assert (finding.passed, finding.said) == (
            True,
            "there are not two rounds of enough made tasks to compare",
        )
