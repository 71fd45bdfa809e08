"""The stages of selection that look at one row alone, in order; what looks at many is `curate`'s."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from adp_assets.curation.recipe import Bounds, Fate, Recipe
from runtimes.llm.base import BUILTIN

SOLVED, NOT_BUILTIN = "verified success", "not the built-in teacher's"
RENDERABLE = "renderable"
FINISHED = ("solved", "unsolved", "unverified")


@dataclass(frozen=True)
class Stage:
    """What is left after it is `name`d; `keeps` says of a row whether it is.

    `of_failures`: a failure, too, must pass it to be the worse side of a pair. `scope`: it tells what was
    asked for, not what is good.
    """

    name: str
    keeps: pl.Expr
    of_failures: bool = True
    scope: bool = False


def stages(recipe: Recipe) -> list[Stage]:
    """Those that the recipe asks for. Rows have the columns `rows.LIGHT` and `difficulty`."""
    return [*_scope(recipe), *_verdict(recipe), *_form(recipe), *_text(recipe)]


def _scope(recipe: Recipe) -> Iterator[Stage]:
    yield Stage("finished", pl.col("outcome").is_in(FINISHED))
    chosen = {
        "task type": ("task_type", recipe.task_types),
        "teacher": ("teacher", recipe.teachers),
        "model": ("model", recipe.models),
        "source": ("source", recipe.sources),
        "operator": ("operator", recipe.operators),
    }
    for name, (column, values) in chosen.items():
        if values:
            yield Stage(f"of the {name}s asked for", pl.col(column).is_in(values), scope=True)
    if not recipe.builtin and BUILTIN not in recipe.teachers:
        yield Stage(NOT_BUILTIN, pl.col("teacher") != BUILTIN, scope=True)


def _verdict(recipe: Recipe) -> Iterator[Stage]:
    solved = pl.col("outcome") == "solved"
    enough = pl.col("outcome").eq("unsolved") & (pl.col("reward") >= recipe.min_reward)
    rewarded = pl.col("verified") & (solved if recipe.min_reward == 1 else solved | enough)
    if recipe.unverified:
        good = rewarded | (pl.col("outcome") == "unverified")
        yield Stage("verified success, or unverified", good, of_failures=False)
    else:
        name = SOLVED if recipe.min_reward == 1 else f"reward of {recipe.min_reward:g} or more"
        yield Stage(name, rewarded, of_failures=False)
    if not recipe.judged:
        yield Stage("not judged alone", ~pl.col("judged"))
    yield Stage("not surplus", ~pl.col("surplus"))
    whole = (pl.col("unrenderable") == "") & (pl.col("steps") > 0)
    yield Stage(RENDERABLE, whole & (pl.col("withheld").fill_null("") != "refs_moved"))


def _form(recipe: Recipe) -> Iterator[Stage]:
    if recipe.difficulty != (None, None):
        yield Stage(f"difficulty {_said(recipe.difficulty)}", _within("difficulty", recipe.difficulty))
    if recipe.steps not in ((None, None), (1, None)):
        yield Stage(f"{_said(recipe.steps)} steps", _within("steps", recipe.steps), of_failures=False)
    for column in ("characters", "tokens"):
        if most := getattr(recipe, f"max_{column}"):
            short = (pl.col(column) <= most).fill_null(False)
            yield Stage(f"{most:,} {column} at most", short)
    if recipe.errors != "keep":
        clean = pl.col("failed_steps") == 0
        name, keeps = (
            ("without a failed step", clean) if recipe.errors == "drop" else ("mended a failed step", ~clean)
        )
        yield Stage(name, keeps, of_failures=False)
    if recipe.max_loops is not None:
        yield Stage("not in circles", pl.col("loops") <= recipe.max_loops, of_failures=False)


def _text(recipe: Recipe) -> Iterator[Stage]:
    if recipe.truncated == "drop":
        yield Stage("not cut off", ~pl.col("truncated"))
    if recipe.max_repetition is not None:
        yield Stage("not repetitive", pl.col("repetition") <= recipe.max_repetition, of_failures=False)
    if recipe.languages:
        yield Stage(f"in {' or '.join(recipe.languages)}", pl.col("language").is_in(recipe.languages))
    yield from _clean("secrets", recipe.secrets, "without secrets")
    yield from _clean("personal", recipe.personal_data, "without personal data")


def _clean(column: str, fate: Fate, name: str) -> Iterator[Stage]:
    if fate == "drop":
        yield Stage(name, pl.col(column).list.len() == 0)


def _within(column: str, bounds: Bounds) -> pl.Expr:
    low, high = bounds
    inside = pl.col(column).is_not_null()
    if low is not None:
        inside &= pl.col(column) >= low
    if high is not None:
        inside &= pl.col(column) <= high
    return inside


def _said(bounds: Bounds) -> str:
    low, high = bounds
    if low is None or high is None:
        return f"{high:g} at most" if low is None else f"{low:g} or more"
    return f"{low:g} to {high:g}"
