"""The releases that there are: where one lies, what it holds, whether it is whole."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from adp_assets.curation.release.manifest import LINEAGE, MANIFEST, read_manifest
from runtimes.errors import ConfigurationError


@dataclass(frozen=True)
class Release:
    """A release in its folder, with what its manifest says."""

    name: str
    folder: Path
    manifest: dict[str, Any]

    def lineage(self) -> pl.DataFrame:
        """Every row of its rounds, kept or not, with `manifest.OF_LINEAGE`."""
        path = self.folder / LINEAGE
        try:
            return pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ConfigurationError(
                f"{path} cannot be read: {error}.", f"Restore it, or make another release than {self.name}."
            ) from error


@dataclass(frozen=True)
class Held:
    """How many rows a release has of some tasks, and of how many more its lineage and report tell."""

    folder: Path
    rows: int
    left_out: int


def release_folder(output: Path, name: str) -> Path:
    """Where a new release goes. Raises ConfigurationError for a name that is no folder's, or is taken."""
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise ConfigurationError(
            f"The release's name {name!r} cannot name a folder.",
            "Use letters, digits, '-', '_' and '.', a letter or digit first.",
        )
    folder = _releases(output) / name
    if folder.exists():
        raise ConfigurationError(
            f"There is a release {name} in {folder}, and a release is never changed.", "Choose another name."
        )
    return folder


def release_named(output: Path, name: str) -> Release:
    """A release by its name. Raises ConfigurationError, naming those there are, for none."""
    folder = _releases(output) / name
    if not (folder / MANIFEST).exists():
        known = ", ".join(found.name for found in releases(output)) or "none"
        raise ConfigurationError(f"There is no release {name}.", f"Releases: {known}.")
    return Release(name, folder, read_manifest(folder))


def releases(output: Path) -> Iterator[Release]:
    """All releases that are whole, by name."""
    for path in sorted(_releases(output).glob(f"*/{MANIFEST}")):
        if not path.parent.name.startswith("."):
            yield Release(path.parent.name, path.parent, read_manifest(path.parent))


def holders(output: Path, task_ids: Collection[str]) -> dict[str, Held]:
    """The releases that hold rows of these tasks, or tell of some that they left out."""
    wanted = pl.Series(list(task_ids), dtype=pl.String).implode()
    found = {}
    for each in releases(output):
        rows = each.lineage().filter(pl.col("task_id").is_in(wanted))
        if rows.height:
            kept = rows.filter(pl.col("dropped") == "").height
            found[each.name] = Held(each.folder, kept, rows.height - kept)
    return found


def _releases(output: Path) -> Path:
    return output / "releases"
