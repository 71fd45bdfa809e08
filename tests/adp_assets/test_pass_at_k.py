"""pass@k against its definition: the share of all choices of k samples that hold a solved one."""

from __future__ import annotations

from itertools import combinations

import pytest

from adp_assets.execution.pass_at_k import mean_pass_at_k, pass_at_k
from adp_resources.task_stats import TaskRecord


def by_counting(samples: int, solved: int, k: int) -> float:
    choices = list(combinations([True] * solved + [False] * (samples - solved), k))
    return sum(map(any, choices)) / len(choices)


@pytest.mark.parametrize("samples", range(1, 8))
def test_it_is_the_share_of_choices_with_a_solved_sample(samples: int) -> None:
    for solved in range(samples + 1):
        for k in range(1, samples + 1):
            assert pass_at_k(samples, solved, k) == pytest.approx(by_counting(samples, solved, k))


def test_many_samples_overflow_nothing() -> None:
    assert pass_at_k(10_000, 1, 5_000) == pytest.approx(0.5)


@pytest.mark.parametrize("k", [0, 5])
def test_a_k_beyond_the_samples_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match="pass@"):
        pass_at_k(4, 2, k)


def record(verified: int, solved: int) -> TaskRecord:
    return TaskRecord("t", episodes=verified, verified=verified, solved=solved)


def test_a_round_is_the_mean_of_the_tasks_that_have_enough_samples() -> None:
    means = mean_pass_at_k([record(4, 2), record(4, 0), record(1, 1), record(0, 0)])
    assert means == pytest.approx({1: (0.5 + 0 + 1) / 3, 2: (1 - 1 / 6) / 2, 4: 0.5})


def test_the_most_samples_are_told_whatever_their_number() -> None:
    assert list(mean_pass_at_k([record(6, 3)])) == [1, 2, 4, 6]
    assert mean_pass_at_k([record(0, 0)]) == mean_pass_at_k([]) == {}
