"""Writing a dataset: one folder with a `split=` folder a split and a card, put in place in one move."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from adp_assets.curation.card import PICTURE, card
from adp_assets.diversity.measure import Measures
from adp_assets.diversity.shown import diversity_picture
from adp_resources.parquet import write_frame
from runtimes.errors import ConfigurationError

JSON_COLUMNS = ("messages", "tools")


def write_dataset(
    folder: Path,
    rows: pl.DataFrame,
    funnel: dict[str, int],
    *,
    made_by: str,
    diversity: Mapping[str, Measures] = {},
) -> None:
    """Write `rows` as Parquet by split, with a card, replacing what `folder` held.

    `diversity` are the measures of the rounds they come from, which the card shows, with a chart.

    `messages` and `tools` are typed `arrow.json`, which datasets >= 4.7 decodes; each shard's metadata names
    the schema version, the run and a hash of the rows' lineage. Raises ConfigurationError when it cannot be
    written; then the old folder stands.
    """
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        for split, part in _splits(rows).items():
            path = temporary / f"split={split}" / "part-00000.parquet"
            metadata = {"run_id": made_by, "lineage_hash": lineage_hash(part)}
            write_frame(_typed(part.drop("split")), path, metadata)
        text = card(folder.name, rows, funnel, diversity)
        (temporary / "README.md").write_text(text, encoding="utf-8")
        if diversity:
            (temporary / PICTURE).write_bytes(diversity_picture(diversity))
        _swap(temporary, folder)
    except OSError as error:
        raise ConfigurationError(
            f"The dataset {folder} cannot be written: {error.strerror or error}.",
            "Free disk space or make the folder writable (OUTPUT_DIR), then materialize it again.",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def lineage_hash(rows: pl.DataFrame) -> str:
    """Equal for datasets made of the same episodes of the same families of tasks."""
    digest = hashlib.sha256()
    for row_id, root_id in rows.select("id", "root_id").sort("id").iter_rows():
        digest.update(f"{row_id}\0{root_id}\n".encode())
    return digest.hexdigest()[:16]


def split_sizes(rows: pl.DataFrame) -> dict[str, int]:
    """Rows a split, `train` first."""
    counts = Counter(rows["split"].to_list())
    return {split: counts[split] for split in sorted(counts, reverse=True)}


def _splits(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows by split; `train` is there with its columns though it may have no rows."""
    parts = {str(split): part for (split,), part in rows.group_by("split", maintain_order=True)}
    return {"train": rows.clear(), **parts}


def _typed(rows: pl.DataFrame) -> pl.DataFrame:
    json_type = pl.Extension("arrow.json", pl.String, "")
    return rows.with_columns(pl.col(*JSON_COLUMNS).ext.to(json_type))


def _swap(new: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
