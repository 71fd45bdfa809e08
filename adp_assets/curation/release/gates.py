"""What must hold of a dataset before it is let out: looked at in the files that were written, not on the way.

A release with a finding that stops is not published. A dataset of one round is only told of.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from adp_assets.curation.copies import clusters_of
from adp_assets.curation.curate import NOT_EVALUATED, Curation
from adp_assets.curation.filters import stages
from adp_assets.curation.recipe import Recipe
from adp_assets.curation.release.writing import outputs
from adp_assets.curation.store import BATCH, RowStore
from adp_assets.findings import Finding
from adp_resources.parquet import slices
from runtimes.sensitive import secrets_in

ENOUGH_TO_JUDGE = 20
"""Verified episodes below which a success rate says nothing."""

GATES = {
    "schema": "Columns and types of every Parquet file are as declared.",
    "duplicates": "No conversation is there twice, and no two rows are near copies.",
    "contamination": "No row holds an item of the evaluation sets.",
    "leakage": "No root seed, and no near copy of its rows, is in two splits.",
    "secrets": "No text looks like a secret.",
    "splits": "No split that was asked for is empty.",
    "drift": "The newest round succeeds about as often as the others.",
}
"""The checks by name, and what holds when they pass."""


def gates(
    folder: Path,
    written: pl.DataFrame,
    curation: Curation,
    recipe: Recipe,
    store: RowStore,
    max_drift: float,
) -> dict[str, Finding]:
    """What is found in a dataset that was written to `folder`, by the names of `GATES`.

    `written` is the tally of what went where (`writing.WRITTEN`).
    """
    return {
        "schema": _schema(folder),
        "duplicates": _duplicates(written, curation, recipe, store),
        "contamination": _contamination(written, curation),
        "leakage": _leakage(written, curation),
        "secrets": without_secrets(folder, recipe),
        "splits": _splits(written, recipe),
        "drift": _drift(_asked_for(curation.rows, recipe), max_drift),
    }


def _schema(folder: Path) -> Finding:
    """Every shard reads, and has the columns of its siblings, each of a type."""
    faults: list[str] = []
    known: dict[Path, tuple[str, dict[str, pl.DataType]]] = {}
    for path in sorted(folder.rglob("*.parquet")):
        name = str(path.relative_to(folder))
        try:
            schema = pl.read_parquet_schema(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            faults.append(f"{name} cannot be read: {error}")
            continue
        siblings = known.setdefault(path.parent.parent if _is_shard(path) else path, (name, schema))
        if siblings[1] != schema:
            faults.append(f"{name} has other columns than {siblings[0]}")
        faults += [f"{name}: {column} has no type" for column, kind in schema.items() if kind == pl.Null]
    return Finding(
        not faults, "every Parquet file reads, its columns and types as declared", tuple(faults[:5])
    )


def _is_shard(path: Path) -> bool:
    return path.parent.name.startswith("split=")


def _duplicates(written: pl.DataFrame, curation: Curation, recipe: Recipe, store: RowStore) -> Finding:
    twice = written.filter(pl.struct("shape", "format", "id", "row_id").is_duplicated())["id"]
    kept = curation.kept
    same = kept.filter(pl.col("content_hash").is_duplicated())["id"]
    near = pl.Series("id", [], pl.String)
    if recipe.near_duplicates is not None:
        found = clusters_of(store, kept, recipe.near_duplicates)
        near = kept.join(found.filter(pl.col("cluster") != pl.col("place")), on="place")["id"]
    faults = pl.concat([twice, same, near]).unique(maintain_order=True)
    return Finding(faults.is_empty(), "no conversation is there twice or nearly so", tuple(faults.head(5)))


def _contamination(written: pl.DataFrame, curation: Curation) -> Finding:
    held = written.filter(pl.col("row_id").is_in(curation.hits["id"].implode()))["id"].unique().sort()
    looked = NOT_EVALUATED in curation.funnel
    if not looked:
        return Finding(False, "not looked for: no evaluation set was named (EVALUATION_DIR)", stops=False)
    return Finding(held.is_empty(), "no row holds an evaluation item", tuple(held.head(5)))


def _leakage(written: pl.DataFrame, curation: Curation) -> Finding:
    """Of the examples as they were written, with the relatives of their rows as they were found."""
    family = curation.rows.select("root_id", "family").unique("root_id")
    kin = curation.rows.select(pl.col("id").alias("row_id"), "kin")
    placed = written.join(family, on="root_id", how="left").join(kin, on="row_id", how="left")
    faults = placed.filter(pl.col("family").is_null())["id"].to_list()
    for column in ("root_id", "family", "kin"):
        known = placed.filter(pl.col(column).is_not_null())
        straddling = known.group_by(column).agg(pl.col("split").n_unique(), pl.col("id").min())
        faults += straddling.filter(pl.col("split") > 1)["id"].sort().to_list()
    return Finding(not faults, "all relatives of a row are in its split", tuple(dict.fromkeys(faults))[:5])


def without_secrets(folder: Path, recipe: Recipe) -> Finding:
    """Nothing in any data file below a folder looks like a secret."""
    if recipe.secrets == "keep":
        return Finding(True, "not looked for, as the recipe keeps them")
    faults = [f"{place}: {kind}" for place, text in _texts(folder) for kind in secrets_in(text)]
    return Finding(not faults, "no text looks like a secret", tuple(faults[:5]))


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Every row of every data file as JSON, with its place; a line's end within a text is a blank here."""
    for path in sorted(folder.rglob("*.parquet")):
        name = str(path.relative_to(folder))
        frames = slices(path, BATCH) if _reads(path) else iter(())
        lines = (line for rows in frames for line in rows.write_ndjson().splitlines())
        for number, line in enumerate(lines, 1):
            yield f"{name}, row {number}", _unescaped(line)
    for path in sorted([*folder.rglob("*.jsonl"), *folder.rglob("*.json")]):
        name = str(path.relative_to(folder))
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                yield f"{name}:{number}", _unescaped(line)


def _reads(path: Path) -> bool:
    """Whether a file has a schema; of one that has none the schema's gate tells."""
    try:
        pl.read_parquet_schema(path)
    except (OSError, pl.exceptions.PolarsError):
        return False
    return True


def _unescaped(text: str) -> str:
    return text.replace("\\n", " ").replace("\\t", " ").replace('\\"', '"')


def _splits(written: pl.DataFrame, recipe: Recipe) -> Finding:
    """Of every shape in every format."""
    filled = set(written.select("shape", "format", "split").unique().iter_rows())
    wanted = [(shape, form, split) for shape, form, _ in outputs(recipe) for split in recipe.splits]
    empty = tuple(" ".join(each) for each in wanted if each not in filled)
    if not empty:
        return Finding(True, "every split has rows")
    way_out = "take more rounds, or fewer splits (`splits:`) or shapes"
    return Finding(False, f"each split needs a family of its own, a pair a failure: {way_out}", empty)


def _asked_for(rows: pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
    """The rows of the types, teachers and so on that the recipe names."""
    others = [stage.name for stage in stages(recipe) if stage.scope]
    return rows.filter(~pl.col("dropped").is_in(others))


def _drift(rows: pl.DataFrame, most: float) -> Finding:
    """The success rate of the newest round against that of all others together."""
    judged = rows.filter(pl.col("outcome").is_in(["solved", "unsolved"]))
    rates = judged.group_by("round").agg(
        pl.len(), (pl.col("outcome") == "solved").sum().alias("solved"), pl.col("created_at").max()
    )
    rates = rates.filter(pl.col("len") >= ENOUGH_TO_JUDGE).sort("created_at", "round")
    if rates.height < 2:
        return Finding(True, "there are not two rounds of enough verified episodes to compare")
    newest, others = rates.row(-1, named=True), rates.head(-1)
    rate = newest["solved"] / newest["len"]
    before = int(others["solved"].sum()) / int(others["len"].sum())
    said = f"{newest['round']} succeeds at {rate:.3f}, the others at {before:.3f}"
    if abs(rate - before) <= most:
        return Finding(True, said)
    way_out = "look whether model or verifiers changed (`adp regrade`), or leave the round out"
    return Finding(
        False, f"{said}, more than MAX_SUCCESS_DRIFT {most:g} apart: {way_out}", (newest["round"],)
    )
