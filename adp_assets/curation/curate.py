"""Which rows a dataset has: from all rows of its rounds, stage by stage, to those that are kept.

Nothing is written here, and no conversation is held for longer than it is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from adp_assets.curation.copies import clusters_of
from adp_assets.curation.decontamination.evaluation import EvaluationSet
from adp_assets.curation.families import families, splits_of
from adp_assets.curation.filters import RENDERABLE, stages
from adp_assets.curation.overlap import HITS, overlap
from adp_assets.curation.recipe import Recipe
from adp_assets.curation.shares import capped, mixed
from adp_assets.curation.store import RowStore

BEST_FIRST = {
    "reward": True,
    "failed_steps": False,
    "steps": False,
    "characters": False,
    "generation": False,
    "round": False,
    "task_id": False,
    "sample": False,
}
"""Which of several rows that say the same is kept: by these in turn, the largest first where that is True."""

NOT_EVALUATED = "in no evaluation set"
"""The stage of the funnel that is there when evaluation sets were looked at."""

ALWAYS_LIKE = 0.8
"""From which similarity rows stay in one split, however like a recipe lets them be."""


@dataclass(frozen=True)
class Curation:
    """Every row with its fate, and what was seen on the way.

    `rows` have the columns `rows.LIGHT` and `place`, `difficulty`, `cluster` (of near copies, by the place
    of the best), `kin` (the same of rows that must share a split), `dropped` (the stage that left a row out,
    empty for those kept), `fails` (whether it may be the worse side of a pair), `family` and `split`, which
    is empty for rows of families that nothing is kept of. `funnel` has how many were left after each stage,
    in order; `hits` what rows hold of evaluation sets.
    """

    rows: pl.DataFrame
    funnel: dict[str, int]
    hits: pl.DataFrame

    @property
    def kept(self) -> pl.DataFrame:
        return self.rows.filter(pl.col("dropped") == "")

    def why_empty(self) -> str:
        """Which stage left nothing, in words; empty where rows are kept."""
        before = 0
        for stage, left in self.funnel.items():
            if not left:
                said = (
                    f"none of {before:,} trajectories is {stage!r}" if before else "there are no trajectories"
                )
                return said + self._faults(stage)
            before = left
        return ""

    def _faults(self, stage: str) -> str:
        """Why conversations could not be rendered, where that is what left nothing."""
        if stage != RENDERABLE:
            return ""
        why = self.rows.filter(pl.col("dropped") == stage)["unrenderable"].value_counts(sort=True)
        return f" ({'; '.join(f'{reason}: {count:,}' for reason, count in why.head(3).iter_rows())})"

    @property
    def failures(self) -> pl.DataFrame:
        """Of families that something is kept of, as only these have a split."""
        return self.rows.filter(pl.col("fails") & (pl.col("split") != ""))


class _Selection:
    """The rows, and what is left of them while stages go by."""

    def __init__(self, rows: pl.DataFrame) -> None:
        # What a verifier, and not a judge alone, found wrong; never what our own failures spoiled.
        fails = (pl.col("outcome") == "unsolved") & pl.col("verified") & ~pl.col("judged")
        self.rows = rows.with_columns(pl.lit("").alias("dropped"), fails.alias("fails"))
        self.funnel = {"trajectories": rows.height}

    @property
    def left(self) -> pl.DataFrame:
        return self.rows.filter(pl.col("dropped") == "")

    def keep(self, stage: str, keeps: pl.Expr, *, of_failures: bool = False) -> None:
        """Go on with the rows that it `keeps`; the others were dropped here."""
        kept = keeps.fill_null(False)
        dropped = pl.when(pl.col("dropped").eq("") & ~kept).then(pl.lit(stage)).otherwise("dropped")
        fails = pl.col("fails") & kept if of_failures else pl.col("fails")
        self.rows = self.rows.with_columns(dropped.alias("dropped"), fails.alias("fails"))
        self.funnel[stage] = self.left.height

    def keep_places(self, stage: str, places: pl.Series) -> None:
        self.keep(stage, pl.col("place").is_in(places.implode()))


def curate(
    store: RowStore,
    recipe: Recipe,
    *,
    difficulty: Mapping[str, float | None],
    evaluation: EvaluationSet | None = None,
    stop: Callable[[], None] = lambda: None,
) -> Curation:
    """Choose by `recipe` from all rows of a store.

    `difficulty` is that of tasks, by id. `stop` is called now and then, and may raise to give it up.
    """
    selection = _Selection(_with_difficulty(store.light(), difficulty))
    for stage in stages(recipe):
        selection.keep(stage.name, stage.keeps, of_failures=stage.of_failures)
    ordered = _best_first(selection.left)
    selection.rows = _with_copies(selection.rows, ordered, store, recipe)
    related = selection.left
    stop()
    once = ordered.unique("content_hash", keep="first", maintain_order=True)
    selection.keep_places("each conversation once", once["place"])
    if recipe.near_duplicates is not None:
        selection.keep("no near duplicates", pl.col("cluster") == pl.col("place"))
    hits = pl.DataFrame(schema=HITS)
    if evaluation is not None:
        read = pl.col("dropped").eq("") | pl.col("fails")
        hits = overlap(store, selection.rows.filter(read), evaluation, recipe.max_coverage, stop)
        clean = ~pl.col("id").is_in(hits["id"].unique().implode())
        selection.keep(NOT_EVALUATED, clean, of_failures=True)
    if recipe.per_root is not None:
        capped_places = capped(selection.left, recipe.per_root, recipe.seed)
        selection.keep_places(f"{recipe.per_root} a root seed at most", capped_places)
    if recipe.mixture or recipe.max_rows:
        selection.keep_places("in the mixture", mixed(selection.left, recipe))
    return Curation(_with_splits(selection.rows, related, recipe), selection.funnel, hits)


def _with_difficulty(rows: pl.DataFrame, difficulty: Mapping[str, float | None]) -> pl.DataFrame:
    known = pl.DataFrame(
        {"task_id": list(difficulty), "difficulty": list(difficulty.values())},
        schema={"task_id": pl.String, "difficulty": pl.Float64},
    )
    return rows.join(known, on="task_id", how="left", maintain_order="left")


def _with_copies(rows: pl.DataFrame, ordered: pl.DataFrame, store: RowStore, recipe: Recipe) -> pl.DataFrame:
    """The rows with the cluster of each of the `ordered`, and with its kin, whose likeness may be less."""
    threshold = recipe.near_duplicates or ALWAYS_LIKE
    found = clusters_of(store, ordered, threshold)
    if threshold > ALWAYS_LIKE:
        kin = clusters_of(store, ordered, ALWAYS_LIKE).rename({"cluster": "kin"})
        found = found.join(kin, on="place", how="left", maintain_order="left")
    else:
        found = found.with_columns(pl.col("cluster").alias("kin"))
    return rows.join(found, on="place", how="left", maintain_order="left")


def _best_first(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort(list(BEST_FIRST), descending=list(BEST_FIRST.values()), nulls_last=True)


def _with_splits(rows: pl.DataFrame, related: pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
    """All rows of a root seed, and of those that it has near copies with, have one family and one split."""
    family = dict(zip(related["root_id"], families(related), strict=True))
    named = rows.with_columns(
        pl.col("root_id").replace_strict(family, default=pl.col("root_id")).alias("family")
    )
    kept = named.filter(pl.col("dropped") == "")["family"].unique().to_list()
    split = splits_of(kept, recipe.splits)
    return named.with_columns(
        pl.col("family").replace_strict(split, default="", return_dtype=pl.String).alias("split")
    )
