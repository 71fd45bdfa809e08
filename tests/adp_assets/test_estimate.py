"""Estimates: from what was paid before, from assumptions, and how sure either is."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from adp_assets.estimate import ENOUGH, WIDE, Estimate, Load, Tokens, assumed, estimate
from adp_assets.workload import ACCEPTED, SOLVED, Course, new_rounds, rest_of_round, still_wanted


def episodes(count: int, what: str = "code") -> Load:
    return Load(round="r", what=what, least=count, likely=count, most=count)


def of(past: Sequence[Tokens], load: Load, dollars_a_million: float | None = None) -> Estimate:
    def cost(prompt: float, completion: float) -> float | None:
        return None if dollars_a_million is None else (prompt + completion) * dollars_a_million / 1e6

    return estimate([load], lambda _: past, cost)


def test_what_always_took_the_same_will_take_the_same() -> None:
    found = of([(900, 100)] * 20, episodes(50), dollars_a_million=2.0)
    assert (found.tokens, found.least_tokens, found.most_tokens) == (50_000, 50_000, 50_000)
    assert found.usd == found.least_usd == found.most_usd == pytest.approx(0.1)
    assert found.loads[0].past == 20


def test_the_range_holds_what_more_of_the_same_take_nearly_always() -> None:
    draw = random.Random(7)

    def some(count: int) -> list[Tokens]:
        return [(draw.lognormvariate(8, 0.8), draw.lognormvariate(6, 0.5)) for _ in range(count)]

    held = 0
    for _ in range(300):
        found = of(some(40), episodes(100))
        taken = sum(map(sum, some(100)))
        held += found.least_tokens <= taken <= found.most_tokens
    assert (
        265 <= held <= 299
    )  # 95 %, less some for a skewed distribution; a range that always holds is too wide


def test_too_few_before_are_no_ground_and_the_assumption_says_so() -> None:
    found = of([(1, 1)] * (ENOUGH - 1), episodes(10, "web"))
    each = sum(assumed("web"))
    assert found.loads[0].past == 0
    assert (found.tokens, found.least_tokens) == (10 * each, round(10 * each / WIDE))
    assert found.most_tokens == 10 * each * WIDE
    assert of([], episodes(1, "a plugin's own type")).tokens == sum(assumed("a plugin's own type"))


def test_dollars_are_unknown_where_one_part_of_them_is() -> None:
    def cost(prompt: float, completion: float) -> float | None:
        return None if prompt == assumed("web")[0] else 1.0

    found = estimate([episodes(1, "code"), episodes(1, "web")], lambda _: [], cost)
    assert found.loads[0].usd == 1.0
    assert (found.loads[1].usd, found.usd, found.most_usd) == (None, None, None)


def test_nothing_to_do_takes_nothing() -> None:
    found = estimate([episodes(0)], lambda _: [], lambda prompt, completion: None)
    assert (found.loads, found.tokens, found.usd) == ([], 0, 0.0)


def loads(rounds: Sequence[Load]) -> dict[tuple[str, str], tuple[int, int, int]]:
    return {(load.round, load.what): (load.least, load.likely, load.most) for load in rounds}


def test_a_new_round_is_its_tasks_and_synthesis_over_those_solved() -> None:
    course = Course(rounds=1, samples=4, size=1000, mutations=2)
    assert loads(new_rounds({"code": 10, "web": 20}, course)) == {
        ("new round 1", "code"): (40, 40, 40),
        ("new round 1", "web"): (80, 80, 80),
        ("new round 1", "distillation"): (0, 21, 60),
        ("new round 1", "mutation"): (0, 84, 240),
    }


def test_a_later_round_may_have_any_number_up_to_all_that_can_be_made() -> None:
    course = Course(rounds=2, samples=1, size=1000, mutations=1)
    found = loads(new_rounds({"code": 100}, course))
    assert found["new round 2", "code"] == (0, round(100 * SOLVED * ACCEPTED), 100)


def test_a_round_takes_no_more_than_its_size_and_none_follows_without_mutations() -> None:
    found = loads(new_rounds({"code": 300, "web": 100}, Course(rounds=3, samples=1, size=40, mutations=0)))
    assert found == {("new round 1", "code"): (30, 30, 30), ("new round 1", "web"): (10, 10, 10)}


def test_a_target_ends_a_round_early_where_all_goes_well() -> None:
    course = Course(rounds=1, samples=1, size=1000, mutations=0, accept=10)
    assert loads(new_rounds({"code": 100}, course)) == {("new round 1", "code"): (10, 15, 100)}


def test_rounds_after_one_that_reaches_the_target_are_not_expected() -> None:
    course = Course(rounds=3, samples=1, size=1000, mutations=1, accept=10)
    assert loads(new_rounds({"code": 1000}, course)) == {
        ("new round 1", "code"): (10, 15, 1000),
        ("new round 1", "distillation"): (0, 10, 20),
        ("new round 1", "mutation"): (0, 20, 40),
    }


def test_a_later_round_runs_for_what_is_still_missing() -> None:
    course = Course(rounds=3, samples=1, size=10, mutations=4, accept=12)
    found = loads(new_rounds({"code": 10}, course))
    assert found["new round 1", "code"] == (10, 10, 10)
    assert found["new round 2", "code"] == (0, 8, 10), "5 more at 70 %"
    assert ("new round 3", "code") not in found


def test_a_round_that_was_left_runs_no_more_than_its_target_wants() -> None:
    left = rest_of_round("r", {"code": 990}, 1000, 1, wanted=7)
    assert loads(left)["r", "code"] == (7, 10, 990)
    assert loads(left)["r", "distillation"] == (0, 7, 2000)
    assert still_wanted(7, left) == 0


def test_a_round_that_was_left_has_what_is_left() -> None:
    assert loads(rest_of_round("round-0003", {"code": 7}, 7, 1)) == {
        ("round-0003", "code"): (7, 7, 7),
        ("round-0003", "distillation"): (0, 5, 14),
        ("round-0003", "mutation"): (0, 10, 28),
    }
