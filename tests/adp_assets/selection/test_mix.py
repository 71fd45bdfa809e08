"""The mix of candidates: its pass rate, quotas, order and reasons."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from adp_assets.selection.aim import Mix
from adp_assets.selection.cut import Candidate
from adp_assets.selection.mix import LEAST, Chosen, Mixed, mixed

MIX = Mix(0.3, 0.9, root_share=0.2, trials=2)


def candidates(count: int, name: str, *, rate: float = 0.6, **fields: Any) -> list[Candidate]:
    """Tasks that trials and parent agree about."""
    own: dict[str, Any] = {
        "task_type": "code",
        "domain": name,
        "root_id": f"root-{name}",
        "priority": 1,
        **fields,
    }
    return [
        Candidate(f"{name}-{n:03}", added_at=float(n), tried=rate, record=rate, **own) for n in range(count)
    ]


def filled(found: list[Candidate], places: int, aim: float = 0.6, people: tuple[float, ...] = ()) -> Mixed:
    return mixed(found, mix=MIX, aim=aim, seed="round-0002", places=places, people=people)


def families(chosen: list[Chosen]) -> Counter[str]:
    return Counter(each.task_id.split("-")[0] for each in chosen)


def spread(names: str, count: int, **fields: Any) -> list[Candidate]:
    return [each for name in names for each in candidates(count, name, **fields)]


def test_one_family_has_no_more_than_its_share_where_others_wait() -> None:
    found = candidates(500, "huge") + spread("abcdefgh", 20)
    round = filled(found, 100)
    assert len(round.chosen) == 100
    assert families(round.chosen)["huge"] <= MIX.root_quota(100) == 20


def test_a_quota_leaves_places_empty_rather_than_give_way_and_what_it_holds_back_is_counted() -> None:
    round = filled(candidates(500, "huge") + spread("abcdef", 2), 100)
    assert families(round.chosen) == {"huge": 20, **dict.fromkeys("abcdef", 2)}
    assert (round.root_quota, round.held_back) == (20, 480)
    full = filled(candidates(500, "huge") + spread("abcdefgh", 20), 100)
    assert (len(full.chosen), full.held_back) == (100, 0)


@pytest.mark.parametrize(("small", "chosen"), [(5, {"huge": 50, "small": 5}), (0, {"huge": 100})])
def test_where_few_families_wait_each_may_have_an_equal_share(small: int, chosen: dict[str, int]) -> None:
    round = filled(candidates(1000, "huge") + candidates(small, "small"), 100)
    assert families(round.chosen) == chosen


def test_a_small_round_is_filled_beyond_a_quota_and_said_so() -> None:
    round = filled(candidates(50, "huge") + candidates(1, "small"), LEAST)
    assert families(round.chosen) == {"huge": LEAST - 1, "small": 1}
    assert [each.rule for each in round.chosen].count("least") == 4
    assert "or a root's quota" in round.chosen[-1].reason


def test_a_small_round_may_have_a_few_of_every_root() -> None:
    assert [Mix(root_share=0.2).root_quota(places) for places in (1, 10, 100)] == [3, 3, 20]


@pytest.mark.parametrize("aim", [0.4, 0.6, 0.8])
def test_the_expected_pass_rate_comes_to_the_aim_where_the_pool_allows(aim: float) -> None:
    found = spread("abcde", 40, rate=0.95) + spread("vwxyz", 40, rate=0.2)
    round = filled(found, 50, aim)
    assert len(round.chosen) == 50
    assert round.rate == pytest.approx(aim, abs=0.02)


def test_peoples_tasks_count_in_the_pass_rate_so_that_the_others_make_up_for_them() -> None:
    found = spread("abcde", 40, rate=0.9) + spread("vwxyz", 40, rate=0.3)
    easy = filled(found, 60, people=(1.0,) * 20)
    hard = filled(found, 60, people=(0.0,) * 20)
    assert easy.rate == pytest.approx(0.6, abs=0.02)
    assert hard.rate == pytest.approx(0.6, abs=0.02)
    assert sum(easy.expected[20:]) < sum(hard.expected[20:])


@pytest.mark.parametrize(("many", "few"), [(1.0, 0.5), (0.05, 0.7)])
def test_what_would_leave_the_bounds_waits(many: float, few: float) -> None:
    found = spread("abcdefghij", 20, rate=many) + spread("xyz", 10, rate=few)
    round = filled(found, 200)
    assert families(round.chosen)["x"] == 10
    assert LEAST < len(round.chosen) < 200
    assert round.rate is not None
    assert MIX.pass_rate_min <= round.rate <= MIX.pass_rate_max
    assert len(round.chosen) + len(round.waiting) == len(found)


def test_a_round_of_tasks_all_too_easy_is_a_small_one() -> None:
    round = filled(spread("abcde", 20, rate=1.0), 50)
    assert len(round.chosen) == LEAST
    assert {each.rule for each in round.chosen} == {"least"}
    assert "outside the bounds" in round.chosen[0].reason
    beside = filled(spread("abcde", 20, rate=1.0), 50, people=(0.95,) * 8)
    assert len(beside.chosen) == LEAST - 8


def test_domains_types_and_difficulties_get_equal_turns_however_many_wait_of_each() -> None:
    found = [each for n in range(20) for each in candidates(50, f"big{n}", domain="sorting")]
    found += candidates(12, "rare", domain="graphs") + candidates(12, "web", domain="forms", task_type="web")
    round = filled(found, 30)
    assert families(round.chosen)["rare"] >= 3
    assert families(round.chosen)["web"] >= 3


def test_what_is_new_comes_before_what_is_like_others() -> None:
    found = spread("abcde", 20, novelty=0.35) + spread("vwxyz", 20, novelty=0.95)
    chosen = families(filled(found, 50).chosen)
    assert sum(chosen[name] for name in "vwxyz") > sum(chosen[name] for name in "abcde")


def test_a_tenth_goes_to_what_waited_longest() -> None:
    old = candidates(5, "old", novelty=0.0, domain="a0")
    new = [each for n in range(20) for each in candidates(20, f"a{n}", novelty=1.0)]
    late = [Candidate(**{**vars(each), "added_at": each.added_at + 100}) for each in new]
    round = filled(old + late, 50)
    assert {each.task_id for each in round.chosen if each.rule == "age"} >= {f"old-{n:03}" for n in range(3)}


def test_a_higher_priority_comes_first_within_the_quota() -> None:
    urgent = candidates(100, "urgent", priority=10)
    round = filled(spread("abcdefgh", 20) + urgent, 50)
    assert [each.task_id.split("-")[0] for each in round.chosen[:10]] == ["urgent"] * 10
    assert families(round.chosen)["urgent"] == 10


def test_the_same_seed_gives_the_same_mix_and_another_seed_another() -> None:
    found = spread("abcdefgh", 40)
    again = filled(list(reversed(found)), 50)
    assert filled(found, 50).chosen == again.chosen
    other = mixed(found, mix=MIX, aim=0.6, seed="round-0003", places=50)
    assert {each.task_id for each in other.chosen} != {each.task_id for each in again.chosen}


def test_every_reason_says_what_is_expected_and_what_it_is_the_first_of() -> None:
    unknown = Candidate("b-0", "code", "", "root-b", 1, 0.0)
    found = [*candidates(1, "a", rate=0.5, novelty=0.8), unknown]
    reasons = {each.task_id: each.reason for each in filled(found, 2).chosen}
    assert reasons["a-000"].endswith(
        "expected to be solved 0.50 of the time (trials 0.50, its parent 0.50), harder than the aim 0.60; "
        "novelty 0.80; number 1 of domain a, 1 of root root-a"
    )
    assert "(a guess)" in reasons["b-0"]
    assert "novelty unknown; number 1 of domain unnamed" in reasons["b-0"]


def test_trials_are_drawn_towards_the_parents_record() -> None:
    def expected(tried: float | None, record: float | None, trials: int = 2) -> float:
        candidate = Candidate("t", "code", "", "r", 1, 0.0, None, tried, record)
        return Mix(trials=trials).expected(candidate, otherwise=0.6)

    assert expected(None, None) == 0.6
    assert expected(None, 0.8) == 0.8
    assert expected(1.0, 0.5) == pytest.approx(0.75)
    assert expected(1.0, 0.5, trials=8) == pytest.approx(0.9)
    assert expected(1.0, None) == pytest.approx(0.8)
