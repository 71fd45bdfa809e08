"""What a format is, and what is told of a dataset after it was written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import polars as pl

from adp_assets.curation.examples import Example, Shape
from adp_assets.curation.shapes.conversations import demonstrations

SCHEMA_VERSION = "2"
"""Of the files of datasets. 1 had no shapes, and no counts of tokens."""

NO_TEXT = "a message whose content is no text"


class Unholdable(Exception):
    """An example that a format cannot hold without loss; the text says why, and names no example."""


@dataclass(frozen=True)
class Stamp:
    """What every Parquet file says of where it comes from."""

    run_id: str
    lineage_hash: str

    def metadata(self) -> dict[str, str]:
        return {
            "schema_version": SCHEMA_VERSION,
            "run_id": self.run_id,
            "lineage_hash": self.lineage_hash,
        }


@dataclass
class Written:
    """How many examples were written, by split; how many were left out, and how many changed, by reason.

    `unheld` are the ids of those that were left out.
    """

    rows: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    unheld: set[str] = field(default_factory=set)


class Sink(Protocol):
    """Where the records of a dataset go, split by split."""

    def add(self, split: str, record: Any) -> None: ...


class Format(ABC):
    """A way to lay examples down in files. What it cannot hold is left out and counted."""

    shapes: ClassVar[frozenset[Shape]]

    @abstractmethod
    def record(self, example: Example, written: Written) -> Any:
        """The example as the format has it. Raises Unholdable; counts in `written.changed` what it lost."""

    @abstractmethod
    def sink(self, shape: Shape, folder: Path, stamp: Stamp) -> AbstractContextManager[Sink]:
        """Where records of this shape go. `folder` is there, and is the dataset's own."""

    def write(self, shape: Shape, examples: Iterable[Example], folder: Path, stamp: Stamp) -> Written:
        """Write the examples, one at a time, in their order; the same examples give the same bytes.

        Raises OSError where the folder cannot be written. Whoever calls makes it whole or not at all.
        """
        written = Written()
        with self.sink(shape, folder, stamp) as sink:
            for example in examples:
                try:
                    record = self.record(example, written)
                except Unholdable as reason:
                    written.left_out[str(reason)] += 1
                    written.unheld.add(example.id)
                    continue
                sink.add(example.split, record)
                written.rows[example.split] += 1
        return written

    def write_rows(self, rows: Iterable[pl.DataFrame], folder: Path, stamp: Stamp) -> Written:
        """Write the whole conversations of batches of rows, the shape `sft`."""
        return self.write("sft", demonstrations(rows), folder, stamp)
