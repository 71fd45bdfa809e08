"""The tasks behind the trajectories, each with the tasks that it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from adp_assets.diversity.measure import UNNAMED, domain
from adp_assets.report.encoding import Category, short
from adp_resources.task_stats import TaskRecord
from runtimes.contracts import TaskSpec

TITLE_CHARACTERS = 110
TEXT_CHARACTERS = 1_500
CATEGORIES = ("type", "operator", "domain")


class Task(Struct, frozen=True):
    """As much of a task as is listed."""

    id: str
    type: str
    description: str
    domain: str
    operator: str
    generation: int
    parents: tuple[str, ...]
    root: str


class Tasks:
    """Tasks numbered as they are first seen in a row, then their ancestors."""

    def __init__(self, known: Iterable[TaskSpec]) -> None:
        self._known = {task.task_id: _task(task) for task in known}
        self._listed: dict[str, Task] = {}
        self._numbers: dict[str, int] = {}

    def number(self, row: Mapping[str, Any]) -> int:
        """The number of a row's task, which the row itself describes where nothing else does."""
        task_id = row["task_id"] or ""
        if task_id not in self._numbers:
            self._list(self._known.get(task_id) or _of_row(task_id, row))
        return self._numbers[task_id]

    def add_ancestors(self) -> None:
        """Number the ancestors that are known, too."""
        waiting = list(self._listed.values())
        while waiting:
            task = waiting.pop()
            for parent in (*task.parents, task.root):
                if parent in self._known and parent not in self._numbers:
                    self._list(self._known[parent])
                    waiting.append(self._known[parent])

    def columns(self, records: Iterable[TaskRecord]) -> dict[str, Any]:
        """A value a task in every column; parents are numbers, or ids of tasks that are not listed.

        `tried`, `verified` and `solved` are over all rounds; null where there is no record.
        """
        tasks = list(self._listed.values())
        categories = {name: Category() for name in CATEGORIES}
        for task in tasks:
            for name, category in categories.items():
                category.add(getattr(task, name))
        recorded = {record.task_id: record for record in records if record.task_id in self._numbers}
        found = [recorded.get(task.id) for task in tasks]
        return {
            "id": [task.id for task in tasks],
            "title": [title_of(task.description) for task in tasks],
            "generation": [task.generation for task in tasks],
            "root": [self._reference(task.root) for task in tasks],
            "parents": [[self._reference(parent) for parent in task.parents] for task in tasks],
            "tried": [each and each.episodes for each in found],
            "verified": [each and each.verified for each in found],
            "solved": [each and each.solved for each in found],
            "difficulty": [each and short(each.difficulty, 3) for each in found],
            **{name: category.encoded() for name, category in categories.items()},
        }

    def texts(self) -> list[str]:
        """The descriptions, to be searched; empty where the title is all."""
        return [
            "" if title_of(task.description) == task.description else task.description[:TEXT_CHARACTERS]
            for task in self._listed.values()
        ]

    def __len__(self) -> int:
        return len(self._listed)

    def _list(self, task: Task) -> None:
        self._numbers[task.id] = len(self._listed)
        self._listed[task.id] = task

    def _reference(self, task_id: str) -> int | str:
        return self._numbers.get(task_id, task_id)


def _task(task: TaskSpec) -> Task:
    lineage = task.lineage
    named = domain(task)
    return Task(
        id=task.task_id,
        type=task.task_type,
        description=task.description,
        domain="" if named == UNNAMED else named,
        operator=lineage.operator,
        generation=lineage.generation,
        parents=lineage.parents,
        root=lineage.root_id or task.task_id,
    )


def _of_row(task_id: str, row: Mapping[str, Any]) -> Task:
    root = row["root_id"] or task_id
    return Task(
        id=task_id,
        type=row["task_type"] or "",
        description=row["description"] or "",
        domain="",
        operator=row["operator"] or "",
        generation=row["generation"] or 0,
        parents=() if root == task_id else (root,),
        root=root,
    )


def title_of(description: str) -> str:
    """The beginning of a task's description, in one line."""
    line = " ".join(description.split())
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1] + "…"
