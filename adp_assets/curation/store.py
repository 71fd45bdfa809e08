"""The rows of many rounds where they lie: light columns at once, conversations in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from adp_assets.curation.rows import LIGHT, ROW_COLUMNS
from runtimes.errors import ConfigurationError

BATCH = 2_000
"""Rows whose conversations are in memory at once."""


class RowStore:
    """Parquet files of `training_rows`, one a round, in their order.

    Rows are known by their place among all, so a file that is made anew while they are read is an error.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = tuple(files)
        self._seen = {path: _stamp(path) for path in files}

    @classmethod
    def of_rounds(cls, output: Path, rounds: Sequence[str]) -> RowStore:
        """The rows of these rounds. Raises ConfigurationError for rounds without, or with foreign, rows."""
        folder = output / "assets" / "training_rows"
        store = cls([folder / f"{name}.parquet" for name in rounds])
        missing = [name for name, path in zip(rounds, store.files, strict=True) if not _is_there(name, path)]
        if missing:
            raise ConfigurationError(
                f"There are no training_rows of {', '.join(missing)}.", "Materialize them first (adp run)."
            )
        store.check()
        return store

    @staticmethod
    def rounds(output: Path) -> list[str]:
        """The rounds that have rows, by name. Raises ConfigurationError for none."""
        found = sorted(path.stem for path in (output / "assets" / "training_rows").glob("*.parquet"))
        if not found:
            raise ConfigurationError("There is no round with training_rows yet.", "Run one first: adp run.")
        return found

    def check(self) -> None:
        """Raise ConfigurationError for a file that cannot be read, or has other columns than rows have."""
        for path in self.files:
            if fault := _fault(path):
                raise ConfigurationError(
                    f"{path} {fault}.",
                    f"Materialize training_rows of {path.stem} again: in the UI, or by `adp export`.",
                )

    def check_unchanged(self) -> None:
        """Raise ConfigurationError for a file that was made anew since the store was opened."""
        for path, seen in self._seen.items():
            if _stamp(path) != seen:
                raise ConfigurationError(
                    f"The training rows of {path.stem} were made anew meanwhile.",
                    "Make the release or dataset again when the round is at rest.",
                )

    def light(self) -> pl.DataFrame:
        """Every row without its conversation, with its place among all as `place`."""
        parts = [pl.read_parquet(path, columns=list(LIGHT)) for path in self.files]
        self.check_unchanged()
        rows = pl.concat(parts) if parts else pl.DataFrame(schema=LIGHT)
        return rows.with_row_index("place")

    def batches(self, columns: Sequence[str], chosen: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """These columns of the chosen rows, with what `chosen` says of them, in the order of `place`.

        Only those parts of files are read that hold any; nothing is given for no rows.
        """
        said = chosen.sort("place")
        places = said["place"].to_numpy()
        wanted = [name for name in columns if name not in said.columns]
        for path, first, height in self._parts():
            low, high = np.searchsorted(places, (first, first + height)).tolist()
            if low == high:
                continue
            part = pl.scan_parquet(path).select(wanted)
            for start in range(0, height, BATCH):
                low, high = np.searchsorted(places, (first + start, first + start + BATCH)).tolist()
                if low < high:
                    frame = part.slice(start, BATCH).collect().with_row_index("place", offset=first + start)
                    self.check_unchanged()
                    yield frame.join(said[low:high], on="place", how="inner", maintain_order="left")

    def _parts(self) -> Iterator[tuple[Path, int, int]]:
        """Each file, the place of its first row, and how many it has."""
        first = 0
        for path in self.files:
            height = int(pl.scan_parquet(path).select(pl.len()).collect().item())
            yield path, first, height
            first += height


def _is_there(name: str, path: Path) -> bool:
    return Path(name).name == name and path.exists()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is made anew; None where there is none."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns


def is_current(path: Path) -> bool:
    """Whether a file holds rows of this version."""
    return not _fault(path)


def _fault(path: Path) -> str:
    """What is wrong with a file of rows; empty for nothing."""
    try:
        found = pl.read_parquet_schema(path)
        pl.scan_parquet(path).select("id").collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        return f"cannot be read: {error}"
    wrong = [name for name, kind in ROW_COLUMNS.items() if found.get(name) != kind]
    return f"is of another version: {', '.join(wrong)} missing or of another type" if wrong else ""
