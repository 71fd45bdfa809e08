"""GSM8K word problems (`question`, `answer` ending in `#### N`) as tasks with a numeric verifier."""

from __future__ import annotations

import math

import msgspec
from msgspec import Struct

from adp_assets.intake.importers.rows import Row
from adp_assets.intake.importers.seeds import Origin, seed
from runtimes.contracts import TaskSpec
from runtimes.errors import InvalidTask


class Problem(Struct, frozen=True):
    """One line of the file."""

    question: str
    answer: str


def word_problem(origin: Origin, row: Row) -> TaskSpec:
    """The task of one row. Raises InvalidTask saying what it lacks."""
    try:
        problem = msgspec.convert(row.values, Problem)
        expected = float(problem.answer.rpartition("####")[2].strip().replace(",", ""))
        if not math.isfinite(expected):
            raise ValueError(f"the answer {expected} is no number")
    except (msgspec.ValidationError, ValueError) as error:
        raise InvalidTask(
            f"this is no GSM8K problem: {error}.", "It needs `question`, and `answer` ending in #### N."
        ) from error
    return seed(
        origin,
        row.number,
        task_type="reasoning",
        description=problem.question,
        expected_tools=["python_executor"],
        verifier={"kind": "numeric", "spec": {"expected": expected}},
    )
