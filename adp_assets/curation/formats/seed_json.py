"""The format `seed-json`: what the platform itself reads, trajectories as files and tasks as a task file.

In a folder a split, `trajectories/` is as `output/trajectories` is: `<task_id>.json`, further samples in
`<task_id>.samples/`. `tasks.jsonl` holds each task once, with verifier and lineage, as `adp run` takes them.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, ClassVar

from adp_assets.curation.examples import Episode, Example, Shape
from adp_assets.curation.formats.base import Format, Stamp, Written
from adp_assets.curation.formats.lines import json_bytes
from runtimes.contracts import TaskSpec, Trajectory, trajectory_to_json


class SeedJson(Format):
    """A file a trajectory, a line a task."""

    shapes: ClassVar[frozenset[Shape]] = frozenset({"trajectories"})

    def sink(self, shape: Shape, folder: Path, stamp: Stamp) -> _Files:
        return _Files(folder)

    def record(self, example: Example, written: Written) -> Any:
        if not isinstance(example, Episode):
            raise TypeError(f"no episode: {type(example).__name__}")
        return example.trajectory, example.task


class _Files:
    """The trajectories' folder and the task file. Where ids of samples meet, they are numbered anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.samples: dict[str, int] = {}
        self.tasks: dict[str, BinaryIO] = {}

    def __enter__(self) -> _Files:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self.tasks.values():
            file.close()

    def add(self, split: str, record: tuple[Trajectory, TaskSpec]) -> None:
        trajectory, task = record
        number = self.samples.get(task.task_id, 0)
        self.samples[task.task_id] = number + 1
        folder = self.folder / split / "trajectories"
        if split not in self.tasks:
            folder.mkdir(parents=True)
            self.tasks[split] = (self.folder / split / "tasks.jsonl").open("wb")
        path = folder / f"{task.task_id}.json"
        if number == 0:
            self.tasks[split].write(json_bytes(task) + b"\n")
        else:
            path = folder / f"{task.task_id}.samples" / f"{number}.json"
            path.parent.mkdir(exist_ok=True)
        path.write_bytes(trajectory_to_json(trajectory))


SEED_JSON = SeedJson()
