"""pass@k: the chance that at least one of k samples of a task is solved, estimated without bias."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from adp_resources.task_stats import TaskRecord


def pass_at_k(samples: int, solved: int, k: int) -> float:
    """1 - C(samples - solved, k) / C(samples, k), from a task's verified samples and how many were solved.

    The unbiased estimator of Chen et al., "Evaluating Large Language Models Trained on Code" (2021), in its
    numerically stable form. Raises ValueError with fewer samples than k.
    """
    if not 0 < k <= samples:
        raise ValueError(f"pass@{k} needs at least {k} samples, and there are {samples}")
    return 1.0 - prod((samples - solved - i) / (samples - i) for i in range(k))


def mean_pass_at_k(records: Iterable[TaskRecord]) -> dict[int, float]:
    """By k, the mean over the tasks that have at least k verified samples; k is 1, 2, 4, ... and the most.

    A task with fewer says nothing of that k: its missing samples failed by our fault, or nobody judged them.
    """
    found = [record for record in records if record.verified]
    most = max((record.verified for record in found), default=0)
    ks = sorted({*(2**n for n in range(most.bit_length())), most} - {0})
    means: dict[int, float] = {}
    for k in ks:
        values = [pass_at_k(each.verified, each.solved, k) for each in found if each.verified >= k]
        means[k] = sum(values) / len(values)
    return means
