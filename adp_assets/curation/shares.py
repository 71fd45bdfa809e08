"""How many rows of what: caps a root seed, and mixtures by weight. What is taken is drawn by a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import polars as pl

from adp_assets.curation.recipe import Recipe
from runtimes.errors import ConfigurationError


def capped(rows: pl.DataFrame, most: int, seed: int) -> pl.Series:
    """The places of at most so many rows of each root seed: of each of its tasks one, then a second ..."""
    drawn = rows.with_columns(_draws(rows, seed)).sort("draw")
    turn = pl.int_range(pl.len()).over("task_id").alias("turn")
    in_turn = drawn.with_columns(turn).sort("turn", "draw")
    return in_turn.filter(pl.int_range(pl.len()).over("root_id") < most)["place"]


def mixed(rows: pl.DataFrame, recipe: Recipe) -> pl.Series:
    """The places of as many rows as the mixture's weights, and `max_rows`, allow.

    What has no weight gets no row; each other value gets its share of the largest whole that all can fill.
    Raises ConfigurationError for a weight of what there is nothing of.
    """
    if not recipe.mixture:
        return _draw(rows, recipe.seed, min(rows.height, recipe.max_rows or rows.height))
    have = dict(rows.group_by(recipe.mixture_by).len().iter_rows())
    for name in recipe.mixture:
        if not have.get(name):
            known = (
                ", ".join(f"{value} {count:,}" for value, count in sorted(have.items())) or "no rows at all"
            )
            raise ConfigurationError(
                f"The mixture by {recipe.mixture_by} asks for {name}, of which no row is left.",
                f"Leave it out, or let the recipe choose more. Left are: {known}.",
            )
    sizes = mixture_sizes(have, recipe.mixture, recipe.max_rows)
    of = pl.col(recipe.mixture_by)
    return pl.concat([_draw(rows.filter(of == name), recipe.seed, size) for name, size in sizes.items()])


def mixture_sizes(have: Mapping[str, int], weights: Mapping[str, float], most: int | None) -> dict[str, int]:
    """How many of each to take so that they are to one another as their weights, as many as there are."""
    whole = sum(weights.values())
    total = min(have[name] * whole / weight for name, weight in weights.items())
    total = min(total, most) if most is not None else total
    return {name: min(have[name], round(total * weight / whole)) for name, weight in weights.items()}


def _draw(rows: pl.DataFrame, seed: int, size: int) -> pl.Series:
    return rows.with_columns(_draws(rows, seed)).sort("draw").head(size)["place"]


def _draws(rows: pl.DataFrame, seed: int) -> pl.Series:
    """A number for each row that follows from its id and the seed alone."""
    digests = (
        hashlib.sha256(f"{seed}\0{each}".encode("utf-8", "surrogatepass")).digest() for each in rows["id"]
    )
    return pl.Series("draw", [int.from_bytes(digest[:8]) for digest in digests], pl.UInt64)
