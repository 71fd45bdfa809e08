"""What every imported task says of itself: an id made of its content, its origin and its licence."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from adp_assets.intake.task_files import check_storable
from runtimes.contracts import Lineage, TaskSpec
from runtimes.errors import InvalidTask
from runtimes.grading.base import check_verifier
from runtimes.registry import check_task_type
from runtimes.tools.constraints import check_constraints

UNKNOWN = "unknown"
LICENCES = {
    "gsm8k": "MIT",
    "humaneval": "MIT",
    "mbpp": "CC-BY-4.0",
    "reasoning-gym": "Apache-2.0",
}
"""As their publishers give them, by data set."""


@dataclass(frozen=True)
class Origin:
    """A data set's name, the file or package its rows are from, and the licence they are under."""

    dataset: str
    source: str
    licence: str

    @classmethod
    def of(cls, dataset: str, source: str, licence: str | None = None) -> Origin:
        """With the licence that is known of the data set where none is given, else `unknown`."""
        return cls(dataset, source, licence or LICENCES.get(dataset, UNKNOWN))


def seed(
    origin: Origin,
    row: int,
    *,
    task_id: str = "",
    metadata: dict[str, Any] | None = None,
    **fields: Any,
) -> TaskSpec:
    """A task of a data set's row, from the fields of a TaskSpec as JSON has them.

    Without an id it gets one made of the data set's name and of what makes it this task, so that the same row
    is the same task wherever it stands in whichever file. Raises InvalidTask for what is no task.
    """
    try:
        task = msgspec.convert({**fields, "task_id": task_id}, TaskSpec)
    except msgspec.ValidationError as error:
        raise InvalidTask(f"not a task: {error}.") from error
    known = {
        "dataset": origin.dataset,
        "licence": origin.licence,
        "source": origin.source,
        "source_row": row,
    }
    task_id = task.task_id or _id_of(origin.dataset, task)
    named = msgspec.structs.replace(
        task,
        task_id=task_id,
        lineage=Lineage(root_id=task_id, source=origin.source),
        metadata={**(metadata or {}), **known},
    ).named()
    check(named)
    return named


def check(task: TaskSpec) -> None:
    """Raise InvalidTask for a task that intake would refuse."""
    check_task_type(task.task_type)
    check_storable(task)
    if task.constraints:  # without any there is nothing to refuse, and finding that out takes the longest
        check_constraints(task)
    if task.verifier is not None:
        check_verifier(task.verifier)
    if not task.description.strip():
        raise InvalidTask("the description is empty.")


def _id_of(dataset: str, task: TaskSpec) -> str:
    same = [task.task_type, task.description, task.constraints, task.verifier]
    try:
        content = msgspec.json.encode(same, order="sorted")
    except UnicodeEncodeError as error:
        raise InvalidTask(f"it is not Unicode: {error}.") from error
    slug = re.sub(r"[^\w.-]+", "-", dataset).strip("-.") or "task"
    return f"{slug[:80]}-{hashlib.sha256(content).hexdigest()[:16]}"
