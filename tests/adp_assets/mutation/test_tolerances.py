"""How far off is wrong, and that no bounded tolerance reaches so far."""

from __future__ import annotations

import pytest

from adp_assets.mutation.tolerances import numbers_in, with_bounds, wrong_by


@pytest.mark.parametrize(
    ("value", "distance"),
    [(25, 1), (-3.0, 1), (0, 1), (0.35, 0.1175), (-20.5, 1.125), (2e8, 1e7 + 0.1), (10**400, 5e298)],
)
def test_a_whole_number_is_wrong_by_one_and_others_by_a_share(value: float, distance: float) -> None:
    assert wrong_by(value) == pytest.approx(distance)


@pytest.mark.parametrize("value", [25, 0, 0.05, -1234.5, 3e12])
def test_no_tolerance_that_is_left_reaches_what_is_wrong(value: float) -> None:
    spec = with_bounds({"tolerance": 1e9, "relative_tolerance": 0.99}, [value])
    assert max(spec["tolerance"], spec["relative_tolerance"] * abs(value)) < wrong_by(value) / 5


def test_a_tolerance_that_is_small_enough_or_no_number_is_left_alone() -> None:
    for spec in ({"tolerance": 0.006}, {"tolerance": "wide"}, {}):
        assert with_bounds(spec, [12.5]) == spec


def test_the_numbers_of_a_value_are_found_wherever_they_are() -> None:
    assert list(numbers_in({"a": [1, "2", {"b": 2.5}], "c": True, "d": None})) == [1, 2.5]
