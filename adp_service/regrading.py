"""Which trajectories `adp regrade` grades anew, by which verifiers, and what has to follow from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from adp_assets.intake.task_files import open_task_file, read_lines
from adp_resources.regrading import regrade_all
from adp_resources.resources import resources
from adp_service.driver import refresh_round, with_dataset
from adp_service.platform import Platform
from runtimes.contracts import Verifier, task_from_json
from runtimes.errors import ConfigurationError, InvalidTask
from runtimes.grading.base import check_verifier
from runtimes.regrading import Regraded

Chosen = list[tuple[str, str]]
"""Rounds and tasks, each pair with all its samples."""


def chosen(platform: Platform, names: Iterable[str]) -> Chosen:
    """What rounds and tasks of these names have trajectories; all of them without names.

    Raises ConfigurationError for a name that is neither.
    """
    journal = platform.journal
    names = list(names)
    if not names:
        return journal.tasks()
    found: dict[tuple[str, str], None] = {}
    for name in names:
        pairs = journal.tasks(round=name) or journal.tasks(task_id=name)
        if not pairs:
            near = ", ".join(journal.task_ids_like(name)) or "none like it"
            rounds = ", ".join(planned.name for planned in platform.rounds.all()[-5:]) or "none"
            raise ConfigurationError(
                f"No round or task {name!r} has trajectories.", f"Newest rounds: {rounds}. Tasks: {near}."
            )
        found |= dict.fromkeys(pairs)
    return list(found)


def verifiers_in(path: Path) -> dict[str, Verifier]:
    """The verifiers of a task file's tasks, by their ids. Raises ConfigurationError naming a bad line."""
    found: dict[str, Verifier] = {}
    with open_task_file(path) as file:
        for line in read_lines(file, 0, 0):
            if not line.content.strip():
                continue
            try:
                task = task_from_json(line.content)
                if task.verifier is not None:
                    check_verifier(task.verifier)
                    found[task.task_id] = task.verifier
            except InvalidTask as error:
                raise ConfigurationError(f"{path}:{line.number}: {error.message}", error.remedy) from error
    return found


def current_verifiers(platform: Platform, tasks: Chosen) -> dict[str, Verifier | None]:
    """The verifiers of tasks as the pool has them now."""
    known = ((task_id, platform.pool.get(task_id)) for task_id in {task_id for _, task_id in tasks})
    return {task_id: task.verifier if task is not None else None for task_id, task in known}


def run_regrade(
    platform: Platform,
    tasks: Chosen,
    verifiers: dict[str, Verifier | None],
    *,
    dry_run: bool,
    seen: Callable[[Regraded], None],
) -> None:
    """Grade these tasks' trajectories anew; with `dry_run` nothing is kept."""

    async def run() -> None:
        async with resources(**platform.overrides)["fanout"].services() as services:
            await regrade_all(
                platform.journal,
                tasks,
                verifiers,
                services,
                at_once=platform.settings.max_concurrent_tasks,
                dry_run=dry_run,
                seen=seen,
            )

    asyncio.run(run())


def renew(platform: Platform, rounds: Iterable[str]) -> dict[str, str]:
    """Bring what was made of these rounds' trajectories up to date; why that failed, by round.

    No episode is run for it: what is left of a round is `adp run`'s.
    """
    failures = {}
    made = with_dataset(platform)
    changed = set(rounds)
    changed |= {promoted for name in changed for promoted in platform.journal.settle(name)}
    for name in sorted(changed):
        platform.task_stats.refresh(name)
        if name in made:
            ran = refresh_round(platform, name)
            if not ran.ok:
                failures[name] = ran.failure or "it was stopped"
    return failures
