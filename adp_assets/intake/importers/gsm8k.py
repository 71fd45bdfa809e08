"""GSM8K word problems (`question`, `answer` ending in `#### N`) as tasks with a numeric verifier."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import Struct

from runtimes.contracts import Lineage, TaskSpec, Verifier
from runtimes.errors import ConfigurationError, InvalidTask

LICENCE = "MIT"


class Problem(Struct, frozen=True):
    """One line of the file."""

    question: str
    answer: str


def read_gsm8k(path: Path, limit: int | None = None) -> Iterator[TaskSpec]:
    """The first `limit` problems as tasks, streaming. Raises InvalidTask naming a line that is none."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}.", "Name a gsm8k JSONL file."
        ) from error
    with file:
        for number, line in enumerate(islice(file, limit), start=1):
            if line.strip():
                yield _task(line, f"{path}:{number}")


def _task(line: bytes, place: str) -> TaskSpec:
    try:
        problem = msgspec.json.decode(line, type=Problem)
        expected = float(problem.answer.rpartition("####")[2].strip().replace(",", ""))
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidTask(
            f"{place} is no GSM8K problem: {error}.", "It needs `question` and `answer`."
        ) from error
    task_id = "gsm8k-" + hashlib.sha256(problem.question.encode()).hexdigest()[:12]
    return TaskSpec(
        task_id=task_id,
        task_type="reasoning",
        description=problem.question,
        expected_tools=["python_executor"],
        verifier=Verifier("numeric", {"expected": expected}),
        lineage=Lineage(root_id=task_id),
        metadata={"dataset": "gsm8k", "licence": LICENCE},
    )
