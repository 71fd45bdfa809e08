"""What a dataset was made of, so that anybody can tell whether it is whole, and make it again.

`manifest.json` names the recipe, the rounds with a digest of their rows, the evaluation sets, the code and
every file with its digest; `provenance/lineage.parquet` every row of these rounds: its split or the stage
that left it out, its relatives, and whose it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from adp_resources.parquet import SCHEMA_VERSION
from runtimes.errors import ConfigurationError
from runtimes.version import code_version

MANIFEST, PROVENANCE = "manifest.json", "provenance"
LINEAGE, HITS = f"{PROVENANCE}/lineage.parquet", f"{PROVENANCE}/hits.parquet"
OF_LINEAGE = [
    *(
        "id",
        "split",
        "dropped",
        "family",
        "cluster",
        "root_id",
        "task_id",
        "round",
        "sample",
        "source",
        "user",
    ),
    *("difficulty", "content_hash"),
]


def manifest(
    name: str,
    recipe: Mapping[str, Any],
    rows: pl.DataFrame,
    kept: pl.DataFrame,
    *,
    funnel: Mapping[str, int],
    evaluation: Mapping[str, Any] | None,
    made_by: str,
    made_at: float,
) -> dict[str, Any]:
    """Of a dataset that `kept` these of the `rows` of its rounds; its files come in when all are written."""
    return {
        "name": name,
        "schema_version": SCHEMA_VERSION,
        "code_version": code_version(),
        "made_by": made_by,
        "made_at": made_at,
        "recipe": dict(recipe),
        "rounds": {
            str(round): {"rows": part.height, "digest": rows_digest(part)}
            for (round,), part in sorted(rows.group_by("round"), key=lambda item: str(item[0]))
        },
        "evaluation": dict(evaluation) if evaluation else None,
        "funnel": dict(funnel),
        "splits": split_sizes(kept),
        "teachers": teachers(kept),
        "lineage_hash": lineage_hash(kept),
        "digest": rows_digest(kept, "split"),
    }


def lineage_hash(rows: pl.DataFrame) -> str:
    """Equal for datasets made of the same episodes of the same families of tasks."""
    return _digest(rows.select("id", "root_id"))[:16]


def rows_digest(rows: pl.DataFrame, *columns: str) -> str:
    """Equal for rows of the same episodes that say the same and got the same verdict, in any order."""
    return _digest(rows.select("id", "content_hash", "outcome", "reward", *columns))


def split_sizes(rows: pl.DataFrame) -> dict[str, int]:
    """Rows a split, `train` first."""
    counts = dict(rows.group_by("split").len().iter_rows())
    return {split: counts[split] for split in sorted(counts, key=lambda name: (name != "train", name))}


def teachers(rows: pl.DataFrame) -> dict[str, int]:
    """How many rows each teacher made with each model, by `teacher / model`."""
    pairs = rows.group_by("teacher", "model").len().sort("teacher", "model")
    return {f"{teacher} / {model}": count for teacher, model, count in pairs.iter_rows()}


def described_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Every file below a folder by its path, with its size in bytes and its SHA-256."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": file_digest(path)}
        for path in paths
    }


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, values: Mapping[str, Any]) -> None:
    """Write it into the folder of a dataset whose other files are all there."""
    files = described_files(folder)
    text = json.dumps({**values, "files": files}, ensure_ascii=False, indent=2)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a dataset. Raises ConfigurationError where it is missing or half."""
    path = folder / MANIFEST
    remedy = "A release without it was made by an older version, or is not whole: export it again."
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", remedy) from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not whole: {error}.", remedy) from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path} is no manifest.", remedy)
    return found


def changed_files(folder: Path, values: Mapping[str, Any]) -> Iterable[str]:
    """What of a dataset's files is not as its manifest has it, in words."""
    told = values.get("files", {})
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if name not in told and name != MANIFEST:
            yield f"{name} is not of the release"
    for name, said in told.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif path.stat().st_size != said["bytes"] or file_digest(path) != said["sha256"]:
            yield f"{name} was changed"


def _digest(rows: pl.DataFrame) -> str:
    digest = hashlib.sha256()
    for row in rows.sort("id").iter_rows():
        digest.update(("\0".join("" if value is None else str(value) for value in row) + "\n").encode())
    return digest.hexdigest()
