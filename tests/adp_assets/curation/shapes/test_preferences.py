"""Pairs: who is set against whom, the same in every run, and never a row against its like."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest

from adp_assets.curation.examples import Preference
from adp_assets.curation.render import training_messages
from adp_assets.curation.shapes.preferences import pairs, preferences
from runtimes.contracts import Trajectory
from tests.adp_assets.curation.rows import frame, row
from tests.adp_assets.tasks import solved


def failed(task_id: str, sample: int, answer: str) -> Trajectory:
    return solved(task_id, answer, sample=sample, outcome="unsolved", success=False, reward=0.0)


def examples(good: pl.DataFrame, bad: pl.DataFrame, most: int = 1, seed: int = 0) -> list[Preference]:
    rows = pl.concat([good, bad])
    return list(
        preferences(pairs(good, bad, most, seed), lambda ids: rows.filter(pl.col("id").is_in(ids)).reverse())
    )


def test_a_pair_is_what_came_after_the_prompt_both_share() -> None:
    won, lost = solved("t", "42"), failed("t", 1, "no idea")
    (pair,) = examples(frame(row(won, split="test")), frame(row(lost)))
    messages = training_messages(won)
    assert pair.prompt == messages[:2]
    assert pair.chosen == messages[2:]
    assert pair.rejected == training_messages(lost)[2:]
    assert pair.split == "test"
    assert (pair.about["chosen_id"], pair.about["rejected_id"]) == ("round-0001/t/0", "round-0001/t/1")
    assert (pair.about["chosen_reward"], pair.about["rejected_reward"]) == (1.0, 0.0)
    assert pair.about["prompt_characters"] + pair.about["chosen_characters"] > 0


def test_only_episodes_of_the_same_task_after_the_same_prompt_are_paired() -> None:
    other_prompt = row(failed("t", 1, "no"), prompt_key="another")
    assert examples(frame(row(solved("t"))), frame(other_prompt, row(failed("u", 0, "no")))) == []


def test_two_sides_that_say_the_same_make_no_pair() -> None:
    same = failed("t", 1, "42")
    assert examples(frame(row(solved("t", "42"))), frame(row(same))) == []
    assert examples(frame(row(solved("t", "42"))), frame(row(same, content_hash="told otherwise"))) == []


def test_the_pair_nearest_in_length_is_taken_first_and_no_episode_twice() -> None:
    won = frame(*(row(solved("t", "4" * size, sample=sample)) for sample, size in enumerate((1, 300))))
    lost = frame(*(row(failed("t", 10 + sample, "x" * size)) for sample, size in enumerate((290, 5, 80))))
    taken = pairs(won, lost, 5, 0)
    assert set(taken.select("chosen", "rejected").iter_rows()) == {
        ("round-0001/t/0", "round-0001/t/11"),
        ("round-0001/t/1", "round-0001/t/10"),
    }
    for seed in range(5):
        assert pairs(won, lost, 1, seed)["rejected"].to_list() == ["round-0001/t/11"]


def test_the_same_seed_takes_the_same_pairs_in_whatever_order_rows_come() -> None:
    won = frame(*(row(solved("t", f"{sample:03}", sample=sample)) for sample in range(30)))
    lost = frame(*(row(failed("t", 100 + sample, f"x{sample:02}")) for sample in range(30)))
    taken = pairs(won, lost, 3, 7)
    assert taken.equals(pairs(won.reverse(), lost.sample(fraction=1, shuffle=True, seed=1), 3, 7))
    assert not taken.equals(pairs(won, lost, 3, 8))
    assert Counter(taken["task_id"]) == {"t": 3}


@pytest.mark.parametrize(
    "fields", [{"outcome": "infrastructure_error"}, {"outcome": "unverified"}, {"judged": True}]
)
def test_what_is_no_verified_failure_is_refused_as_one(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no verified failures"):
        pairs(frame(row(solved("t"))), frame({**row(failed("t", 1, "no")), **fields}), 1, 0)


def test_a_task_with_thousands_of_episodes_is_paired_without_all_their_pairs() -> None:
    def light(prefix: str, reward: float) -> pl.DataFrame:
        many = range(20_000)
        return pl.DataFrame(
            {
                "id": [f"{prefix}{number}" for number in many],
                "task_id": "t",
                "prompt_key": "p",
                "reward": reward,
                "characters": [100 + number for number in many],
                "content_hash": [f"{prefix}{number}" for number in many],
            }
        )

    assert pairs(light("good", 1.0), light("bad", 0.0), 10, 0).height == 10
