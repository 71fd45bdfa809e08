"""New verdicts on what the journal holds: of the votes of a round, and of verifiers that changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from adp_resources.journal import Journal
from runtimes.contracts import TaskSpec, Verifier
from runtimes.grading.base import is_voting
from runtimes.regrading import Regraded, count_votes, regrade
from runtimes.services import Services


def decide_votes(journal: Journal, round: str, tasks: Iterable[TaskSpec]) -> int:
    """Give the verdicts that need all samples of a task; gives how many trajectories they changed."""
    count = 0
    for task in tasks:
        if task.verifier is None or not is_voting(task.verifier):
            continue
        for found in count_votes(journal.samples(round, task.task_id), task.verifier) or []:
            count += found.changed and journal.replace_verdict(found.before, found.after)
    return count


async def regrade_all(
    journal: Journal,
    tasks: Sequence[tuple[str, str]],
    verifiers: Mapping[str, Verifier | None],
    services: Services,
    *,
    at_once: int,
    dry_run: bool,
    seen: Callable[[Regraded], None],
) -> None:
    """Grade the trajectories of these (round, task) anew, so many tasks at once, and keep what changed.

    `seen` is told of each trajectory. What another process changed meanwhile is left as that one has it.
    """
    gate = asyncio.Semaphore(at_once)

    async def one(round: str, task_id: str) -> None:
        async with gate:
            samples = await asyncio.to_thread(journal.samples, round, task_id)
            for found in await regrade(samples, verifiers.get(task_id), services):
                if found.changed and not dry_run:
                    await asyncio.to_thread(journal.replace_verdict, found.before, found.after)
                seen(found)

    try:
        async with asyncio.TaskGroup() as group:
            for round, task_id in tasks:
                group.create_task(one(round, task_id))
    except BaseExceptionGroup as faults:
        raise faults.exceptions[0] from faults
