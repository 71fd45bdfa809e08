"""Erasing all that is kept of tasks: rows of the database, files, pictures, and rows of assets' frames.

Which tasks, and what must follow from it, is decided elsewhere. The steps are taken in the order of the
methods of `Erasure`, and each may be repeated: what leads to a step's work is erased after it, the pool's row
last.
"""

from __future__ import annotations

import re
import shutil
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Connection

from adp_resources.database import Database
from adp_resources.parquet import WHOLE, write_frame
from adp_resources.tables import (
    candidates,
    dead_letters,
    journal,
    pool_tasks,
    reviews,
    round_tasks,
    task_stats,
    trials,
)
from runtimes.errors import ConfigurationError
from runtimes.web.page.screenshots import FOLDER, ScreenshotStore

FORGOTTEN = "forgotten"
"""The pool's status of a task that is being erased, which no round takes."""

OF_EPISODES = {
    "trajectories": journal,
    "trials": trials,
    "dead letters": dead_letters,
    "candidates": candidates,
    "records of success": task_stats,
}
OF_POOL = {"places in rounds": round_tasks, "reviews": reviews, "tasks of the pool": pool_tasks}
"""The second name the first, so they go in this order."""

_PICTURE = re.compile(rb'"screenshot":\s*"([0-9a-f]{64})"')
_PART = 500
"""Ids in one statement."""


class Erasure:
    """All that `output` and the database hold of these tasks, by their ids."""

    def __init__(self, database: Database, output: Path, task_ids: Collection[str]) -> None:
        self.database = database
        self.output = output
        self.task_ids = sorted(task_ids)
        self._pictures = ScreenshotStore(output / "trajectories" / FOLDER)

    def counts(self) -> dict[str, int]:
        """How much there is of each kind. Raises ConfigurationError for a frame that cannot be read."""
        found = {
            kind: sum(self._per_part(sa.select(sa.func.count()).select_from(table), table))
            for kind, table in {**OF_EPISODES, **OF_POOL}.items()
        }
        frames = {path: len(rows) for path, rows in self._frames()}
        return {
            **found,
            "files": len(self._files()),
            "pictures": sum(self._pictures.path(digest).exists() for digest in self._own_pictures()),
            "rows of assets": sum(frames.values()),
        }

    def rounds(self) -> list[str]:
        """Every round that has, tried or made one of the tasks."""
        tables = (round_tasks, journal, trials, dead_letters, candidates)
        return sorted(
            {name for table in tables for name in self._per_part(sa.select(table.c.round).distinct(), table)}
        )

    def hide(self) -> None:
        """Let no round take the tasks any more."""
        with self._begin() as connection:
            for part in self._parts():
                query = sa.update(pool_tasks).where(pool_tasks.c.task_id.in_(part))
                connection.execute(query.values(status=FORGOTTEN))

    def erase_files(self) -> None:
        """Remove pictures that no other trajectory shows, JSON files and browser traces.

        And what writers of the tasks' rounds and of releases left half done, when they were killed: none is
        at work now.
        """
        for digest in self._own_pictures():
            self._pictures.path(digest).unlink(missing_ok=True)
        for path in self._files():
            path.unlink(missing_ok=True)
        for task_id in self.task_ids:
            shutil.rmtree(self._samples(task_id), ignore_errors=True)
        for path in self._half_done():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def erase_rows_of_assets(self) -> None:
        """Write the frames of the tasks' rounds without their rows."""
        gone = pl.Series(self.task_ids, dtype=pl.String).implode()
        for path, rows in self._frames():
            if len(rows):
                kept = {
                    name: said for name, said in pl.read_parquet_metadata(path).items() if ":" not in name
                }
                frame = pl.read_parquet(path, glob=False).filter(~pl.col("task_id").is_in(gone))
                write_frame(frame, path, kept)

    def erase_episodes(self) -> None:
        """Delete what was executed, tried, proposed and counted."""
        self._delete(OF_EPISODES.values())

    def erase_tasks(self) -> None:
        """Delete the tasks themselves: now nothing leads to them any more."""
        self._delete(OF_POOL.values())
        if self.database.engine.dialect.name == "sqlite":
            connection = self.database.engine.raw_connection()
            # What was written before is in the log, too, until that is cut off.
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()

    def _delete(self, tables: Iterable[sa.Table]) -> None:
        with self._begin() as connection:
            for table in tables:
                for part in self._parts():
                    connection.execute(sa.delete(table).where(table.c.task_id.in_(part)))

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        """A transaction that leaves no deleted bytes behind where the database can be told so."""
        with self.database.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            yield connection

    def _files(self) -> list[Path]:
        found = []
        for task_id in self.task_ids:
            found.append(self.output / "trajectories" / f"{task_id}.json")
            found += self._samples(task_id).glob("*")
            trace = re.compile(rf"{re.escape(task_id)}-\d+\.zip")
            traces = (self.output / "traces").glob(f"*/{escape(task_id)}-*.zip")
            found += [path for path in traces if trace.fullmatch(path.name)]
        return [path for path in found if path.is_file()]

    def _half_done(self) -> Iterator[Path]:
        yield from (self.output / "releases").glob(".*.tmp")
        for round in map(escape, self.rounds()):
            yield from (self.output / "datasets").glob(f".{round}.*")
            yield from (self.output / "assets").glob(f"*/.{round}.parquet.*.tmp")

    def _samples(self, task_id: str) -> Path:
        return self.output / "trajectories" / f"{task_id}.samples"

    def _own_pictures(self) -> set[str]:
        """The digests of pictures that these tasks' trajectories show, and no other."""
        own: set[str] = set()
        for table in (journal, trials):
            for packed in self._per_part(sa.select(table.c.document), table):
                own |= _pictures_of(packed)
        if not own:
            return own
        erased = set(self.task_ids)
        with self.database.read() as connection:
            for table in (journal, trials):
                query = sa.select(table.c.task_id, table.c.document).execution_options(yield_per=_PART)
                for task_id, packed in connection.execute(query):
                    if task_id not in erased:
                        own -= _pictures_of(packed)
        return own

    def _frames(self) -> Iterator[tuple[Path, pl.Series]]:
        """Every frame of the tasks' rounds, or of all rounds, that tells of tasks: the ids of their rows."""
        gone = pl.Series(self.task_ids, dtype=pl.String).implode()
        for name in (*self.rounds(), WHOLE):
            for path in sorted((self.output / "assets").glob(f"*/{escape(name)}.parquet")):
                try:
                    with path.open("rb") as file:
                        if "task_id" not in pl.read_parquet_schema(file):
                            continue
                    ids = pl.read_parquet(path, columns=["task_id"], glob=False)["task_id"]
                except (OSError, pl.exceptions.PolarsError) as error:
                    raise ConfigurationError(
                        f"{path} cannot be read, so that nobody knows whether it tells of these tasks: "
                        f"{str(error).splitlines()[0]}.",
                        "Remove it, or materialize it anew, and do it again. Nothing was erased.",
                    ) from error
                yield path, ids.filter(ids.is_in(gone))

    def _per_part(self, query: sa.Select[Any], table: sa.Table) -> Iterator[Any]:
        """The first column of a query over a table, of these tasks' rows."""
        with self.database.read() as connection:
            for part in self._parts():
                yield from connection.execute(query.where(table.c.task_id.in_(part))).scalars()

    def _parts(self) -> Iterator[list[str]]:
        for start in range(0, len(self.task_ids), _PART):
            yield self.task_ids[start : start + _PART]


def _pictures_of(packed: bytes) -> set[str]:
    return {digest.decode() for digest in _PICTURE.findall(zlib.decompress(packed))}
