"""`adp import`: other people's data sets and benchmarks as task files, a source a module beside this one."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer

from adp_assets.intake.importers.rows import Reject
from adp_resources.files import replacing
from adp_service.cli.output import complain, counted, note
from runtimes.contracts import TaskSpec
from runtimes.errors import ConfigurationError

MOST_COMPLAINTS = 20

Source = Annotated[Path, typer.Argument(metavar="FILE", help="The file to read.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "--out", "-o", help="The task file to write. Default: standard output."),
]
Limit = Annotated[int | None, typer.Option("--limit", "-l", min=1, help="Only so many rows, the first.")]
Licence = Annotated[
    str | None,
    typer.Option("--licence", help="Its licence, such as MIT. Default: the one that is known, else unknown."),
]


@dataclass
class TaskFile:
    """A task file that is being written, and where the rows go that became no task."""

    name: str
    tasks: BinaryIO
    rejects: BinaryIO | None = None
    written: int = 0
    rejected: int = 0

    def add(self, found: TaskSpec | Reject) -> None:
        if isinstance(found, TaskSpec):
            self.tasks.write(msgspec.json.encode(found) + b"\n")
            self.written += 1
            return
        self.rejected += 1
        if self.rejected <= MOST_COMPLAINTS:
            complain(f"{self.name}:{found.row}: {found.reason}")
        if self.rejects:
            row = {"row": found.row, "reason": found.reason, "content": found.content}
            self.rejects.write(msgspec.json.encode(row) + b"\n")


class _NothingWritten(Exception):
    """Not one row became a task."""


def write_tasks(found: Iterable[TaskSpec | Reject], name: str, output: Path | None) -> None:
    """Write what was found in `name`, as `task_file` does."""
    with task_file(name, output) as file:
        for each in found:
            file.add(each)


@contextmanager
def task_file(name: str, output: Path | None) -> Iterator[TaskFile]:
    """Write a task file, whole or not at all; without `output` its lines go to standard output.

    Rows that became no task are complained about, and kept beside it with their numbers and reasons, as
    `<output>.rejected.jsonl`. Raises ConfigurationError where not one became a task.
    """
    if output is None:
        file = TaskFile(name, sys.stdout.buffer)
        yield file
        _report(file, None, None)
        return
    beside = output.with_name(f"{output.name}.rejected.jsonl")
    with _written(beside) as rejects, suppress(_NothingWritten), _written(output) as tasks:
        file = TaskFile(name, tasks, rejects)
        yield file
        if not file.written:
            raise _NothingWritten
    if not file.rejected:
        beside.unlink()
    _report(file, output, beside)


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    with replacing(path) as temporary, temporary.open("wb") as file:
        yield file


def _report(file: TaskFile, output: Path | None, beside: Path | None) -> None:
    if file.rejected > MOST_COMPLAINTS:
        complain(f"{file.name}: {file.rejected - MOST_COMPLAINTS:,} more rows are no tasks.")
    kept = f" Rejected rows are kept in {beside}." if beside and file.rejected else ""
    if not file.written:
        raise ConfigurationError(f"No row of {file.name} became a task.", f"Mend what is named above.{kept}")
    read = counted(file.written + file.rejected, "row")
    rows = f"{counted(file.written, 'task')} of {read}, {file.rejected:,} rejected."
    note(f"{file.name}: {rows}{kept}" + (f" Run them: adp run {output}" if output else ""))


def stem(file: Path) -> str:
    """A file's name without what says its format, in small letters: the name of a data set."""
    return file.name.partition(".")[0].lower()


def check_output(source: Path, output: Path | None) -> None:
    """Raise ConfigurationError where the task file would replace what it is made of."""
    if output and output.exists() and source.exists() and output.samefile(source):
        raise ConfigurationError(f"{output} is the file to read.", "Name another one with --output.")
