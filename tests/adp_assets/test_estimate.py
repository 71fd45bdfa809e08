"""Estimates: from what was paid before, from assumptions, and how sure either is."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from adp_assets.estimate import ENOUGH, WIDE, Estimate, Load, Tokens, assumed, estimate
from adp_assets.workload import ACCEPTED, TEACHING, TRIED, Course, new_rounds, rest_of_round, still_wanted


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


def course(
    rounds: int = 1, samples: int = 1, size: int = 1000, mutations: int = 1, trials: int = 0
) -> Course:
    return Course(rounds=rounds, samples=samples, size=size, mutations=mutations, trials=trials)


def loads(rounds: Sequence[Load]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Least, likely and most of each, by round and what is done; trials by type under `TYPE trials`."""
    return {
        (load.round, load.what + " trials" * (load.unit == "trials")): (load.least, load.likely, load.most)
        for load in rounds
    }


def test_a_new_round_is_its_tasks_and_synthesis_over_those_that_teach_something() -> None:
    assert (TEACHING, TRIED) == (0.9, 0.9)
    found = new_rounds({"code": 10, "web": 20}, course(samples=4, mutations=2, trials=3))
    assert loads(found) == {
        ("new round 1", "code"): (40, 40, 40),
        ("new round 1", "web"): (80, 80, 80),
        ("new round 1", "distillation"): (0, 27, 60),
        ("new round 1", "mutation"): (0, 108, 240),
        ("new round 1", "code trials"): (0, 16 * 3, 60),
        ("new round 1", "web trials"): (0, 32 * 3, 120),
    }


def test_a_later_round_may_have_any_number_up_to_all_that_can_be_made() -> None:
    found = loads(new_rounds({"code": 100}, course(rounds=2)))
    assert found["new round 2", "code"] == (0, round(100 * TEACHING * ACCEPTED), 100)
    assert ("new round 1", "code trials") not in found, "none are asked for"


def test_a_round_takes_no_more_than_its_size_and_none_follows_without_mutations() -> None:
    found = loads(new_rounds({"code": 300, "web": 100}, course(rounds=3, size=40, mutations=0, trials=2)))
    assert found == {("new round 1", "code"): (30, 30, 30), ("new round 1", "web"): (10, 10, 10)}


def test_a_target_ends_a_round_early_where_all_goes_well() -> None:
    wanted = replace(course(mutations=0), accept=10)
    assert loads(new_rounds({"code": 100}, wanted)) == {("new round 1", "code"): (10, 15, 100)}


def test_rounds_after_one_that_reaches_the_target_are_not_expected() -> None:
    wanted = replace(course(rounds=3), accept=10)
    assert loads(new_rounds({"code": 1000}, wanted)) == {
        ("new round 1", "code"): (10, 15, 1000),
        ("new round 1", "distillation"): (0, 14, 2000),
        ("new round 1", "mutation"): (0, 28, 4000),
    }


def test_a_later_round_runs_for_what_is_still_missing() -> None:
    found = loads(new_rounds({"code": 10}, replace(course(rounds=3, size=10, mutations=4), accept=12)))
    assert found["new round 1", "code"] == (10, 10, 10)
    assert found["new round 2", "code"] == (0, 8, 10), "5 more at 70 %"
    assert ("new round 3", "code") not in found


def test_a_round_that_was_left_runs_no_more_than_its_target_wants() -> None:
    left = rest_of_round("r", {"code": 990}, {"code": 1000}, replace(course(trials=2), accept=7))
    assert loads(left)["r", "code"] == (7, 10, 990)
    assert loads(left)["r", "distillation"] == (0, 18, 2000), "ten tasks were run, ten are to come"
    assert loads(left)["r", "code trials"] == (0, 32, 2000)
    assert still_wanted(7, left) == 0


def test_a_round_that_was_left_has_what_is_left() -> None:
    """Also where all episodes of a type are done: synthesis is over the whole round."""
    left = rest_of_round("round-0003", {"code": 7, "web": 0}, {"code": 10, "web": 10}, course(trials=1))
    assert loads(left) == {
        ("round-0003", "code"): (7, 7, 7),
        ("round-0003", "web"): (0, 0, 0),
        ("round-0003", "distillation"): (0, 18, 40),
        ("round-0003", "mutation"): (0, 36, 80),
        ("round-0003", "code trials"): (0, 8, 10),
        ("round-0003", "web trials"): (0, 8, 10),
    }
