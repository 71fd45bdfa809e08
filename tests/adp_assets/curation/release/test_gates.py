"""The gates of a release: what each finds in files and tallies that are not as they should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from adp_assets.curation.curate import NOT_EVALUATED, Curation, curate
from adp_assets.curation.overlap import HITS
from adp_assets.curation.recipe import Recipe, recipe_of
from adp_assets.curation.release.gates import GATES, gates
from adp_assets.curation.release.writing import WRITTEN
from adp_assets.curation.store import RowStore
from adp_assets.findings import Finding
from tests.adp_assets.curation.stored import stored
from tests.adp_assets.tasks import solved, step

TWO = {"train": 0.5, "test": 0.5}


@dataclass
class Made:
    """A dataset on disk and what was told of it, to be spoiled."""

    folder: Path
    store: RowStore
    recipe: Recipe
    curation: Curation
    written: pl.DataFrame

    def finding(self, name: str) -> Finding:
        found = gates(self.folder, self.written, self.curation, self.recipe, self.store, 0.3)
        assert found.keys() == GATES.keys()
        return found[name]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Made]:
    def make(**recipe: Any) -> Made:
        """Eight rows that say nearly the same, so that they are kin."""
        same = " ".join(f"word{n}" for n in range(80))
        alike = [step(1, "complete_task", "{}", None, reasoning_content=f"{same} {n}") for n in range(8)]
        rows = [solved(f"t{n}", steps=[each]) for n, each in enumerate(alike)]
        store = stored(tmp_path / "rows", *rows)
        chosen = recipe_of({"splits": TWO, "near_duplicates": None, **recipe}, "the test's")
        curation = curate(store, chosen, difficulty={})
        told = curation.kept.select(
            pl.lit("sft").alias("shape"),
            pl.lit("hf").alias("format"),
            "split",
            "id",
            pl.col("id").alias("row_id"),
            "root_id",
        )
        folder = tmp_path / "d"
        for (split,), part in told.group_by("split"):
            path = folder / f"split={split}" / "part-00000.parquet"
            path.parent.mkdir(parents=True)
            part.write_parquet(path)
        return Made(folder, store, chosen, curation, told.select(list(WRITTEN)))

    return make


def test_a_dataset_as_it_should_be_passes(make: Callable[..., Made]) -> None:
    made = make(splits={"train": 1.0})
    for name in GATES.keys() - {"contamination"}:
        assert made.finding(name).passed, made.finding(name)


@pytest.mark.parametrize("spoiled", ["foreign", "half"])
def test_a_shard_that_is_foreign_or_half_is_named(make: Callable[..., Made], spoiled: str) -> None:
    made = make()
    path = made.folder / "split=train" / "part-00001.parquet"
    pl.DataFrame({"text": ["a"]}).write_parquet(path)
    if spoiled == "half":
        path.write_bytes(path.read_bytes()[:40])
    finding = made.finding("schema")
    assert not finding.passed
    assert "split=train/part-00001.parquet" in " ".join(finding.faults)


def test_a_row_that_is_written_twice_is_found(make: Callable[..., Made]) -> None:
    made = make()
    assert made.finding("duplicates").passed
    made.written = pl.concat([made.written, made.written.head(1)])
    assert made.finding("duplicates").faults == (made.written["id"][0],)


def test_near_copies_that_were_left_are_found(make: Callable[..., Made]) -> None:
    made = make()
    made.recipe = recipe_of({"splits": TWO, "near_duplicates": 0.8}, "the test's")
    assert not made.finding("duplicates").passed


def test_a_row_that_holds_an_evaluation_item_is_found(make: Callable[..., Made]) -> None:
    made = make()
    held = made.curation.kept["id"][0]
    hits = pl.DataFrame({"id": [held]}).with_columns(
        pl.lit(None, kind).alias(name) for name, kind in HITS.items() if name != "id"
    )
    funnel = {**made.curation.funnel, NOT_EVALUATED: 8}
    made.curation = replace(made.curation, hits=hits, funnel=funnel)
    assert made.finding("contamination").faults == (held,)
    made.written = made.written.filter(pl.col("id") != held)
    assert made.finding("contamination").passed


def test_relatives_in_two_splits_are_found(make: Callable[..., Made]) -> None:
    made = make(splits={"train": 1.0})
    assert made.finding("leakage").passed
    first = made.written["id"][0]
    made.curation = replace(
        made.curation, rows=made.curation.rows.with_columns(pl.lit("one").alias("family"))
    )
    moved = pl.when(pl.col("id") == first).then(pl.lit("test")).otherwise("split").alias("split")
    made.written = made.written.with_columns(moved)
    assert not made.finding("leakage").passed


def test_a_row_of_nobodys_family_is_found(make: Callable[..., Made]) -> None:
    made = make()
    made.written = made.written.with_columns(pl.lit("stranger").alias("root_id"))
    assert not made.finding("leakage").passed
