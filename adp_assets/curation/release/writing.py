"""A dataset's rows in every shape and format that its recipe asks for, and a tally of what went where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from adp_assets.curation.curate import Curation
from adp_assets.curation.examples import Demonstration, Example, Preference, Shape
from adp_assets.curation.formats import formats_of
from adp_assets.curation.formats.base import Format, Stamp, Written
from adp_assets.curation.recipe import Recipe
from adp_assets.curation.rows import CONVERSATION, OF_DATASET
from adp_assets.curation.shapes.conversations import demonstrations, single_replies
from adp_assets.curation.shapes.episodes import episodes
from adp_assets.curation.shapes.preferences import pairs, preferences
from adp_assets.curation.shapes.problems import problems
from adp_assets.curation.store import RowStore
from runtimes.contracts import Trajectory
from runtimes.errors import ConfigurationError

WRITTEN: dict[str, pl.DataType] = {
    "shape": pl.String(),
    "format": pl.String(),
    "split": pl.String(),
    "id": pl.String(),
    "row_id": pl.String(),
    "root_id": pl.String(),
}
"""A line for each row that an example is made of; an example of a task alone names none."""

AT_ONCE = 50_000
"""Lines that are gathered before they are packed."""

Recorded = Callable[[list[str]], Mapping[str, Trajectory]]
"""The trajectories of rows, by their ids."""


@dataclass
class Tally:
    """What was written: `WRITTEN`, and how many examples formats left out or changed, by reason."""

    parts: list[pl.DataFrame] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def settle(self, shape: Shape, form: str, written: Written) -> None:
        """Take what a format could not hold out again, with its reasons."""
        of_it = pl.col("shape").eq(shape) & pl.col("format").eq(form) & pl.col("id").is_in(written.unheld)
        if written.unheld:
            self.parts = [self.written.filter(~of_it)]
        for reason, count in (written.left_out + written.changed).items():
            self.left_out[f"{shape} as {form}: {reason}"] += count

    def add(self, lines: list[tuple[str | None, ...]]) -> None:
        self.parts.append(pl.DataFrame(lines, schema=WRITTEN, orient="row"))

    @property
    def written(self) -> pl.DataFrame:
        return pl.concat([pl.DataFrame(schema=WRITTEN), *self.parts])


def outputs(recipe: Recipe) -> list[tuple[Shape, str, Format]]:
    """Each shape with the formats that hold it. Raises ConfigurationError for one that fits none."""
    known = formats_of(recipe.formats)
    fits = [
        (shape, name, form)
        for shape in dict.fromkeys(recipe.shapes)
        for name, form in known.items()
        if shape in form.shapes
    ]
    for shape in recipe.shapes:
        if shape not in {each for each, _, _ in fits}:
            raise ConfigurationError(
                f"None of the formats {', '.join(known)} holds the shape {shape}.",
                "Add one that does: docs/formats.md has the table.",
            )
    for name, form in known.items():
        if name not in {each for _, each, _ in fits}:
            raise ConfigurationError(
                f"The format {name} holds none of the shapes {', '.join(recipe.shapes)}.",
                f"Ask for one that it holds: {', '.join(sorted(form.shapes))}.",
            )
    return fits


def folder_of(shape: Shape, form: str) -> str:
    """Where a shape lies in a dataset's folder; whole conversations as `hf` lie at its top."""
    top = "" if form == "hf" else f"formats/{form}"
    return top if shape in {"sft", "trajectories"} else f"{top}/{shape}".lstrip("/")


def write_rows(
    folder: Path,
    store: RowStore,
    curation: Curation,
    recipe: Recipe,
    stamp: Stamp,
    recorded: Recorded,
    stop: Callable[[], None],
) -> Tally:
    """Write everything that the recipe asks for below `folder`."""
    tally = Tally()
    for shape, name, form in outputs(recipe):
        place = folder / folder_of(shape, name)
        place.mkdir(parents=True, exist_ok=True)
        if shape == "sft":
            batches = _tallied_rows(_kept(store, curation, stop), tally, name)
            written = form.write_rows(batches, place, stamp)
        else:
            examples = _examples(shape, store, curation, recipe, recorded, stop)
            written = form.write(shape, _tallied(examples, tally, shape, name), place, stamp)
        tally.settle(shape, name, written)
    return tally


def _kept(store: RowStore, curation: Curation, stop: Callable[[], None]) -> Iterator[pl.DataFrame]:
    for batch in store.batches([*OF_DATASET, "task"], curation.kept):
        stop()
        yield batch


def _examples(
    shape: Shape,
    store: RowStore,
    curation: Curation,
    recipe: Recipe,
    recorded: Recorded,
    stop: Callable[[], None],
) -> Iterable[Example]:
    kept = _kept(store, curation, stop)
    if shape == "steps":
        return single_replies(kept)
    if shape == "rl":
        return problems(kept, curation.rows)
    if shape == "trajectories":
        return episodes(kept, recorded)
    if shape == "preference":
        both = pl.concat([curation.kept, curation.failures]).unique("place")
        columns = list(CONVERSATION)

        def rows_with(ids: list[str]) -> pl.DataFrame:
            wanted = both.filter(pl.col("id").is_in(ids))
            return pl.concat(store.batches(columns, wanted))

        return preferences(_pairs(curation, recipe), rows_with)
    return demonstrations(kept)


def _pairs(curation: Curation, recipe: Recipe) -> pl.DataFrame:
    """Verified successes with failures, each failure's conversation once; by place, as they are read."""
    verified = pl.col("outcome").eq("solved") & pl.col("verified") & ~pl.col("judged")
    good = curation.kept.filter(verified)
    bad = curation.failures.unique(["task_id", "content_hash"], keep="first", maintain_order=True)
    found = pairs(good, bad, recipe.pairs_per_task, recipe.seed)
    place = good.select(pl.col("id").alias("chosen"), "place")
    return found.join(place, on="chosen").sort("place", "chosen", "rejected").drop("place")


def _tallied_rows(batches: Iterable[pl.DataFrame], tally: Tally, form: str) -> Iterator[pl.DataFrame]:
    for batch in batches:
        tally.parts.append(
            batch.select(
                pl.lit("sft").alias("shape"),
                pl.lit(form).alias("format"),
                "split",
                "id",
                pl.col("id").alias("row_id"),
                "root_id",
            )
        )
        yield batch


def _tallied(examples: Iterable[Example], tally: Tally, shape: Shape, form: str) -> Iterator[Example]:
    lines: list[tuple[str | None, ...]] = []
    for example in examples:
        lines += [
            (shape, form, example.split, example.id, row_id, example.about["root_id"])
            for row_id in _made_of(example)
        ]
        if len(lines) >= AT_ONCE:
            tally.add(lines)
            lines = []
        yield example
    tally.add(lines)


def _made_of(example: Example) -> list[str | None]:
    if isinstance(example, Preference):
        return [example.about["chosen_id"], example.about["rejected_id"]]
    if isinstance(example, Demonstration):
        return [example.about.get("row_id", example.id)]
    return [example.about["id"]] if "sample" in example.about else [None]
