"""Reading task files: new lines only, each a task, a duplicate or a reject; nothing stops at a bad line."""

from __future__ import annotations

import codecs
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import Connection

from adp_assets.intake.known import KnownTasks, differs
from adp_assets.intake.notes import Notes
from adp_assets.intake.pool import TaskPool
from adp_resources.database import upsert
from adp_resources.files import write_atomically
from adp_resources.tables import intake_files, intake_rejects
from runtimes.contracts import TaskSpec, task_from_json
from runtimes.errors import ConfigurationError, InvalidTask
from runtimes.grading.base import check_verifier
from runtimes.registry import check_task_type
from runtimes.text import storable
from runtimes.tools.constraints import check_constraints

MAX_LINE_BYTES = 1 << 20
CHUNK_LINES = 1_000
HEAD_BYTES = 4_096
BLOCK_BYTES = 1 << 20
_NUL = rb"\u0000"
"""As JSON has it: in few tasks, so that few are looked through."""

SAMPLE_LINE = (
    '{"task_id": "demo-1", "task_type": "code", "description": "Write a Python function add(a, b).", '
    '"expected_tools": ["python_executor"]}'
)


@dataclass(frozen=True)
class Line:
    """One line of a task file: its number from 1, its bytes, the place after it, and whether it was ended.

    Of a line longer than MAX_LINE_BYTES only the beginning is held.
    """

    number: int
    content: bytes
    end: int
    ended: bool


class Digest(Protocol):
    """A running hash, as hashlib makes them."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


@dataclass
class Place:
    """How far a file has been read: bytes, ended lines, and the hash of all these bytes."""

    end: int
    lines: int
    digest: Digest

    def move(self, file: BinaryIO, line: Line) -> None:
        """Move behind a line."""
        _feed(self.digest, file, self.end, line.end)
        self.end = line.end
        self.lines = line.number if line.ended else line.number - 1


class _Timed(Struct):
    """Whether a line names a timeout of its own."""

    timeout: int | UnsetType = UNSET


@dataclass
class IntakeReport:
    """What became of the lines of one file that had not been read before, or of all of them.

    `duplicates` are lines whose id is known, `differing` those of them that say other than the pool's task.
    Where files' versions are taken, `replaced` are the ids of tasks that were made to say what the file says,
    `refused` lines for which that cannot be, and why. `notes` are what is odd about the tasks taken in, with
    the lines of each; `without_verifier` how many of these have none.
    """

    path: Path
    accepted: list[str] = field(default_factory=list)
    duplicates: list[tuple[int, str]] = field(default_factory=list)
    differing: list[tuple[int, str]] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    rejects_file: Path | None = None
    notes: dict[str, list[int]] = field(default_factory=dict)
    without_verifier: int = 0
    ids: set[str] = field(default_factory=set)
    """Of all the tasks that were read."""


class TaskFiles:
    """Takes task files into the pool and remembers how far each was read.

    `default_timeout` (seconds) is for lines that name none; rejected lines are kept under `rejects`. `notes`
    tells what is odd about tasks, of which nothing is told without it.
    """

    def __init__(
        self, pool: TaskPool, rejects: Path, default_timeout: int = 300, notes: Notes | None = None
    ) -> None:
        self.pool = pool
        self.rejects = rejects
        self.default_timeout = default_timeout
        self.notes = notes

    def read(self, path: Path, again: KnownTasks | None = None) -> IntakeReport:
        """Take in what `path` holds beyond what was read before; with `again` all of it, known ids as well.

        Each chunk's tasks and the place reached are one transaction. Raises ConfigurationError for a path
        that is no task file.
        """
        path = path.absolute()
        report = IntakeReport(path)
        with open_task_file(path) as file:
            place = self._place(path, file) if again is None else Place(0, 0, hashlib.sha256())
            lines = read_lines(file, place.end, place.lines)
            while chunk := list(islice(lines, CHUNK_LINES)):
                self._take(path, file, place, chunk, report, again)
        if report.rejected:
            report.rejects_file = self._keep_rejects(path)
        return report

    def preview(self, report: IntakeReport) -> Iterator[TaskSpec]:
        """The tasks of the report's file that `read` would take in: new ids of lines not read before.

        None is taken in, no place remembered and no reject kept; the report is filled as `read` would.
        """
        path, seen = report.path, set(report.accepted)
        with open_task_file(path) as file:
            place = self._place(path, file)
            for line in read_lines(file, place.end, place.lines):
                if not line.content.strip():
                    continue
                try:
                    task = self._parse(line, path)
                except InvalidTask as error:
                    report.rejected.append((line.number, str(error)))
                    continue
                if task.task_id in seen or self.pool.get(task.task_id) is not None:
                    report.duplicates.append((line.number, task.task_id))
                else:
                    seen.add(task.task_id)
                    report.accepted.append(task.task_id)
                    self._note(line, task, report)
                    yield task

    def _place(self, path: Path, file: BinaryIO) -> Place:
        """Where to go on; a file in which anything read before has changed starts anew."""
        with self.pool.database.read() as connection:
            row = connection.execute(sa.select(intake_files).where(intake_files.c.path == str(path))).first()
        digest = hashlib.sha256()
        if row is not None:
            _feed(digest, file, 0, row.read_bytes)
            if digest.hexdigest()[:32] == row.head_hash:
                return Place(row.read_bytes, row.read_lines, digest)
        return Place(0, 0, hashlib.sha256())

    def _take(
        self,
        path: Path,
        file: BinaryIO,
        place: Place,
        chunk: list[Line],
        report: IntakeReport,
        again: KnownTasks | None,
    ) -> None:
        tasks: list[tuple[Line, TaskSpec]] = []
        rejects: list[tuple[Line, str]] = []
        for line in chunk:
            if not line.content.strip():
                continue
            try:
                tasks.append((line, self._parse(line, path)))
            except InvalidTask as error:
                rejects.append((line, str(error)))
        with self.pool.database.begin() as connection:
            added = self.pool.add(connection, [task for _, task in tasks])
            stored = self.pool.specs(
                connection, [task.task_id for _, task in tasks if task.task_id not in added]
            )
            for line, task in tasks:
                if task.task_id in report.ids:
                    report.duplicates.append((line.number, task.task_id))
                    continue
                report.ids.add(task.task_id)
                if task.task_id in added:
                    report.accepted.append(task.task_id)
                    self._note(line, task, report)
                else:
                    self._meet(connection, line, task, stored[task.task_id], report, again)
            _note_rejects(connection, path, chunk, rejects)
            _note_place(connection, path, file, place, chunk, rejects)
        report.rejected += [(line.number, reason) for line, reason in rejects]

    def _meet(
        self,
        connection: Connection,
        line: Line,
        task: TaskSpec,
        stored: TaskSpec,
        report: IntakeReport,
        again: KnownTasks | None,
    ) -> None:
        """Tell of a line whose id the pool has; with `again` the pool takes its version."""
        if not _names_timeout(line):
            task = msgspec.structs.replace(task, timeout=stored.timeout)
        other = differs(task, stored)
        if again is None:
            report.duplicates.append((line.number, task.task_id))
            if other:
                report.differing.append((line.number, task.task_id))
        elif reason := again.take(connection, task, stored):
            report.refused.append((line.number, f"{task.task_id} stays as the pool has it: {reason}"))
        elif other:
            report.replaced.append(task.task_id)
            self._note(line, task, report)

    def _note(self, line: Line, task: TaskSpec, report: IntakeReport) -> None:
        report.without_verifier += task.verifier is None
        for said in self.notes.of(line.content, task) if self.notes else ():
            report.notes.setdefault(said, []).append(line.number)

    def _parse(self, line: Line, path: Path) -> TaskSpec:
        if len(line.content) > MAX_LINE_BYTES:
            raise InvalidTask(f"the line is longer than {MAX_LINE_BYTES:,} bytes.", "Shorten the task.")
        task = task_from_json(line.content)
        check_storable(task)
        if not _names_timeout(line):
            task = msgspec.structs.replace(task, timeout=self.default_timeout)
        check_task_type(task.task_type)
        check_constraints(task)
        if task.verifier is not None:
            check_verifier(task.verifier)
        _check_lineage(task)
        lineage = msgspec.structs.replace(task.lineage, source=str(path))
        return msgspec.structs.replace(task, lineage=lineage)

    def _keep_rejects(self, path: Path) -> Path:
        """All rejected lines of `path` in one file that can be mended and run as a task file itself."""
        query = sa.select(intake_rejects.c.content).where(intake_rejects.c.path == str(path))
        with self.pool.database.read() as connection:
            lines = connection.execute(query.order_by(intake_rejects.c.line)).scalars().all()
        kept = self.rejects / f"{path.stem}-{hashlib.sha256(str(path).encode()).hexdigest()[:6]}.jsonl"
        write_atomically(kept, b"".join(line.rstrip(b"\r\n") + b"\n" for line in lines))
        return kept


def _names_timeout(line: Line) -> bool:
    return msgspec.json.decode(line.content, type=_Timed).timeout is not UNSET


def check_storable(task: TaskSpec) -> None:
    """Raise InvalidTask for what a database would refuse, with all else that is written at a time."""
    try:
        if _NUL in msgspec.json.encode(task):
            storable(msgspec.to_builtins(task))
    except ValueError as error:
        raise InvalidTask(f"{error}.", "No database can hold that: take it out.") from error


def _check_lineage(task: TaskSpec) -> None:
    """Refuse what the check of every round would refuse, where only this line is lost by it."""
    if task.lineage.generation > 0 and task.lineage.root_id in ("", task.task_id):
        raise InvalidTask(
            f"lineage: generation {task.lineage.generation} without the root_id of another task.",
            "Name the seed that the task was made from as root_id, or leave `lineage` out.",
        )


def open_task_file(path: Path) -> BinaryIO:
    """Open a task file for reading. Raises ConfigurationError for what cannot be one, saying what to give."""
    example = f"A task file holds one JSON object a line, such as: {SAMPLE_LINE}"
    try:
        if path.is_dir():
            raise ConfigurationError(f"The task file {path} is a folder.", "Name a file in it.")
        file = path.open("rb")
    except OSError as error:
        raise ConfigurationError(
            f"The task file {path} cannot be read: {error.strerror}.", example
        ) from error
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if b"\0" in head:
        file.close()
        raise ConfigurationError(f"The task file {path} is binary, not text.", example)
    if not head:
        file.close()
        raise ConfigurationError(f"The task file {path} is empty.", example)
    return file


def read_lines(file: BinaryIO, start: int, number: int) -> Iterator[Line]:
    """The lines from byte `start` on, the first of them numbered `number` + 1, without a byte order mark."""
    file.seek(start)
    end = start
    while content := file.readline(MAX_LINE_BYTES + 1):
        piece = content
        end += len(piece)
        while len(piece) > MAX_LINE_BYTES and not piece.endswith(b"\n"):
            piece = file.readline(MAX_LINE_BYTES + 1)
            end += len(piece)
        number += 1
        if number == 1:
            content = content.removeprefix(codecs.BOM_UTF8)
        yield Line(number, content, end, piece.endswith(b"\n"))


def _note_rejects(
    connection: Connection, path: Path, chunk: list[Line], rejects: list[tuple[Line, str]]
) -> None:
    """Keep the chunk's rejects in place of those that an earlier reading of the same lines noted."""
    connection.execute(
        sa.delete(intake_rejects).where(
            intake_rejects.c.path == str(path),
            intake_rejects.c.line.between(chunk[0].number, chunk[-1].number),
        )
    )
    now = time.time()
    rows = [
        {
            "path": str(path),
            "line": line.number,
            "reason": reason,
            "content": line.content,
            "rejected_at": now,
        }
        for line, reason in rejects
    ]
    upsert(connection, intake_rejects, rows)


def _note_place(
    connection: Connection,
    path: Path,
    file: BinaryIO,
    place: Place,
    chunk: list[Line],
    rejects: list[tuple[Line, str]],
) -> None:
    """Remember the place reached.

    A last line without its newline that is no task may still be being written: it is reported now, and read
    again next time.
    """
    unfinished = {line.number for line, _ in rejects if not line.ended}
    read = [line for line in chunk if line.number not in unfinished]
    if not read:
        return
    place.move(file, read[-1])
    row = {
        "path": str(path),
        "read_bytes": place.end,
        "read_lines": place.lines,
        "head_hash": place.digest.hexdigest()[:32],
    }
    upsert(connection, intake_files, [row])


def _feed(digest: Digest, file: BinaryIO, start: int, end: int) -> None:
    """Hash the file's bytes from `start` to `end`; where reading goes on is left as it was."""
    going_on = file.tell()
    file.seek(start)
    while start < end and (block := file.read(min(BLOCK_BYTES, end - start))):
        digest.update(block)
        start += len(block)
    file.seek(going_on)
