"""The numbers of the charts, over every trajectory, listed or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import polars as pl

from adp_assets.report.encoding import short

KINDS = ("round", "task_type", "operator", "outcome", "error_type", "teacher", "split", "dropped")
SUMS = ("steps", "prompt_tokens", "completion_tokens", "cost_usd", "total_duration")
OUTCOMES = ("solved", "unsolved", "unverified", "infrastructure_error", "cancelled")
STEP_BARS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100)
"""The least steps of each bar."""

Bar = tuple[int, int | None, int]


class Figures:
    """Counts rows frame by frame into a small table of kinds, from which every chart is drawn."""

    def __init__(self) -> None:
        self._counted = pl.DataFrame(
            schema={
                **dict.fromkeys(KINDS, pl.String()),
                **dict.fromkeys(("rows", "priced", *SUMS), pl.Float64()),
            }
        )
        self._steps: Counter[int] = Counter()
        self._token_bits: Counter[int] = Counter()
        self._tasks: set[str] = set()

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows of `rows.conformed`."""
        counted = rows.group_by(KINDS).agg(
            pl.len().alias("rows"),
            pl.col("cost_usd").is_not_null().sum().alias("priced"),
            pl.col(SUMS).sum(),
        )
        merged = pl.concat([self._counted, counted], how="vertical_relaxed")
        self._counted = merged.group_by(KINDS).sum()
        for steps, times in rows["steps"].value_counts().iter_rows():
            self._steps[steps] += times
        tokens = rows["prompt_tokens"].fill_null(0) + rows["completion_tokens"].fill_null(0)
        for each, times in tokens.alias("tokens").value_counts().iter_rows():
            self._token_bits[each.bit_length()] += times
        self._tasks.update(rows["task_id"].drop_nulls())

    def told(self) -> dict[str, Any]:
        """The figures by the names that the page knows."""
        counted = self._counted
        return {
            "totals": {**_row(counted.select(_sums())), "tasks": len(self._tasks)},
            "types": _by(counted, "task_type"),
            "rounds": _by(counted, "round"),
            "operators": _by(counted, "operator"),
            "teachers": _by(counted, "teacher"),
            "errors": _errors(counted),
            "splits": _counts(counted, "split"),
            "dropped": _counts(counted, "dropped"),
            "steps": _step_bars(self._steps),
            "tokens": _token_bars(self._token_bits),
        }


def _sums() -> list[pl.Expr]:
    """Rows, those of each outcome and those kept, and what was spent on them."""
    rows = pl.col("rows")
    ended = (rows.filter(pl.col("outcome") == outcome).sum().alias(outcome) for outcome in OUTCOMES)
    kept = rows.filter(pl.col("split").fill_null("") != "").sum().alias("kept")
    return [pl.col("rows", "priced", *SUMS).sum(), *ended, kept]


def _by(counted: pl.DataFrame, kind: str) -> list[dict[str, Any]]:
    """The sums of each of a kind, the most frequent first."""
    found = counted.group_by(pl.col(kind).alias("name")).agg(_sums())
    found = found.sort("rows", "name", descending=[True, False], nulls_last=True)
    return [_row(found[at]) for at in range(found.height)]


def _row(frame: pl.DataFrame) -> dict[str, Any]:
    row = frame.row(0, named=True)
    return {name: short(value, 6) if isinstance(value, float) else value for name, value in row.items()}


def _counts(counted: pl.DataFrame, kind: str) -> list[tuple[str, int]]:
    found = counted.filter(pl.col(kind).fill_null("") != "").group_by(kind).agg(pl.col("rows").sum())
    return [
        (name, int(rows)) for name, rows in found.sort(["rows", kind], descending=[True, False]).iter_rows()
    ]


def _errors(counted: pl.DataFrame) -> list[dict[str, Any]]:
    """How often each type of error ended an episode, by type of task."""
    return [
        {
            "name": name,
            "rows": rows,
            "types": _counts(counted.filter(pl.col("error_type") == name), "task_type"),
        }
        for name, rows in _counts(counted, "error_type")
    ]


def _step_bars(counts: Counter[int]) -> list[Bar]:
    """The least and the most steps, null for no end, and how many rows."""
    bars = dict.fromkeys(STEP_BARS, 0)
    for steps, rows in counts.items():
        bars[max(least for least in STEP_BARS if least <= max(steps, 0))] += rows
    ends = [*(following - 1 for following in STEP_BARS[1:]), None]
    return _trimmed([(least, most, bars[least]) for least, most in zip(STEP_BARS, ends, strict=True)])


def _token_bars(bits: Counter[int]) -> list[Bar]:
    """The same of tokens: none, one, and twice as many in each bar as in the one before."""
    powers = range(max(bits, default=-1) + 1)
    return _trimmed([(2**each // 2, 2**each - 1, bits[each]) for each in powers])


def _trimmed(bars: Sequence[Bar]) -> list[Bar]:
    """From the first bar that has rows to the last."""
    filled = [at for at, (_, _, rows) in enumerate(bars) if rows]
    return list(bars[filled[0] : filled[-1] + 1]) if filled else []
