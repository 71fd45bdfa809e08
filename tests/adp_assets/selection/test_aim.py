"""The curriculum: what the next round aims at after one that was easier or harder than was thought."""

from __future__ import annotations

import pytest

from adp_assets.selection.aim import UNSURE, Before, Mix, aim

MIX = Mix(0.3, 0.9)


def aimed(expected: float | None, measured: float | None, verified: int = 10_000) -> float:
    return aim(MIX, Before("r1", expected, measured, verified))[0]


def test_without_a_round_before_the_aim_is_the_middle_of_the_bounds() -> None:
    value, why = aim(MIX, None)
    assert value == pytest.approx(0.6)
    assert why == "0.60 is the middle of the bounds, and no round went before"
    assert aimed(None, 0.95) == aimed(0.6, None, 0) == pytest.approx(0.6)


def test_after_a_round_easier_than_expected_harder_tasks_are_preferred_and_the_other_way_round() -> None:
    value, why = aim(MIX, Before("r1", 0.6, 0.75, 10_000))
    assert value == pytest.approx(0.45, abs=0.001)
    assert why == (
        "r1 was solved 0.75 of the time where 0.60 was expected: its tasks were easier, so harder ones are "
        "preferred"
    )
    assert aimed(0.6, 0.5) == pytest.approx(0.7, abs=0.001)


def test_the_aim_never_leaves_the_bounds() -> None:
    assert aimed(0.3, 1.0) == 0.3
    assert aimed(0.9, 0.0) == 0.9


def test_few_episodes_move_the_aim_little() -> None:
    assert aimed(0.6, 0.8, verified=UNSURE) == pytest.approx(0.5)
    assert aimed(0.6, 0.8, verified=1) > 0.58
