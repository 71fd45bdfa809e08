"""Problems that reasoning-gym makes, in the sandbox, as tasks that its own scorers judge there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from adp_assets.intake.importers.rows import Reject
from adp_assets.intake.importers.seeds import Origin, seed
from runtimes.contracts import TaskSpec
from runtimes.errors import InvalidTask
from runtimes.grading.reasoning_gym import PACKAGES, make_problems
from sandbox import SandboxPool

BATCH = 200
"""Problems a run of the sandbox."""


async def gym_tasks(
    sandboxes: SandboxPool, names: Sequence[str], count: int, first_seed: int, licence: str | None = None
) -> AsyncIterator[TaskSpec | Reject]:
    """The first `count` problems of each data set with this seed; the same arguments give the same tasks.

    Raises InfrastructureError where the sandbox does not make them.
    """
    origin = Origin.of("reasoning-gym", _version(), licence)
    for name in names:
        for first in range(0, count, BATCH):
            problems = await make_problems(sandboxes, name, first_seed, first, min(BATCH, count - first))
            for index, problem in enumerate(problems, start=first):
                try:
                    yield gym_task(origin, name, first_seed, index, problem)
                except InvalidTask as error:
                    yield Reject(index, f"{name}: {error}", problem["question"])


def gym_task(origin: Origin, name: str, first_seed: int, index: int, problem: dict[str, Any]) -> TaskSpec:
    """Problem `index` of a data set. Raises InvalidTask for one whose answer is nothing."""
    if not problem["answer"].strip():
        raise InvalidTask("its answer is empty, and no answer is never right.")
    entry = {"answer": problem["answer"], "metadata": problem["metadata"]}
    return seed(
        origin,
        index,
        metadata={"task": name, "seed": first_seed},
        task_type="reasoning",
        description=problem["question"].strip(),
        expected_tools=["python_executor"],
        verifier={"kind": "reasoning_gym", "spec": {"dataset": name, "entry": entry}},
    )


def _version() -> str:
    """The package and its version, as the layer has it: `reasoning-gym==0.1.25`."""
    found = re.search(r"^reasoning-gym==\S+", PACKAGES.read_text(), re.MULTILINE)
    assert found is not None
    return found[0]
