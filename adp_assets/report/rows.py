"""Frames of trajectories as the report reads them: every column there, and where each row went."""

from __future__ import annotations

import polars as pl
import xxhash

from adp_assets.execution.frames import COLUMNS

ID = "id"
FATES = {"split": pl.String(), "dropped": pl.String()}


class Fates:
    """Where rows went, looked up by their ids: the split of what was kept, the stage that dropped others."""

    def __init__(self, fates: pl.DataFrame | None) -> None:
        if fates is None:
            fates = pl.DataFrame(schema={ID: pl.String(), **FATES})
        kept = pl.col("dropped").fill_null("") == ""
        chosen = fates.select(ID, pl.when(kept).then("split").alias("split"), "dropped")
        # Sorted once: a join would go through all of them again for each frame.
        self._known = chosen.unique(ID, keep="first").sort(ID)

    def of(self, ids: pl.Series) -> pl.DataFrame:
        """The columns FATES for these ids, in their order; null for those that nothing is known of."""
        if self._known.is_empty():
            return pl.DataFrame(
                {name: pl.repeat(None, len(ids), dtype=kind, eager=True) for name, kind in FATES.items()}
            )
        places = self._known[ID].search_sorted(ids).clip(upper_bound=self._known.height - 1)
        found = self._known[places]
        return found.select(pl.when(found[ID] == ids).then(pl.col(name)).alias(name) for name in FATES)


def conformed(frame: pl.DataFrame, fates: Fates) -> pl.DataFrame:
    """The frame with all of COLUMNS, null where it has none, `id`, and the columns FATES.

    `teacher` is the teacher and its model. Rows keep their order.
    """
    found = frame.select(
        (pl.col(name).cast(kind, strict=False) if name in frame.columns else pl.lit(None, kind)).alias(name)
        for name, kind in COLUMNS.items()
    )
    named = found.with_columns(
        pl.col("round", "task_id").fill_null(""),
        pl.col("sample", "steps").fill_null(0),
        pl.concat_str("teacher", "model", separator=" / ", ignore_nulls=True).alias("teacher"),
    ).with_columns(pl.format("{}/{}/{}", "round", "task_id", "sample").alias(ID))
    return named.hstack(fates.of(named[ID]))


def sampled(rows: pl.DataFrame, share: float) -> pl.DataFrame:
    """About this share of the rows, always the same ones: by a hash of their ids."""
    if share >= 1:
        return rows
    chosen = [xxhash.xxh64_intdigest(row_id.encode()) < share * 2**64 for row_id in rows[ID]]
    return rows.filter(pl.Series(chosen, dtype=pl.Boolean))
