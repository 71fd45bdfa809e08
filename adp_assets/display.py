"""What the UI shows of an asset beside its rows: previews as Markdown tables, charts as pictures."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_CELL = 60
MAX_INLINE = 950
"""The UI hides Markdown of 1,000 characters and more behind a click."""


def preview(frame: pl.DataFrame, columns: Sequence[str], rows: int = 10) -> dg.MarkdownMetadataValue:
    """The first rows of some columns as a Markdown table, as many as the UI shows without a click."""
    lines = [_row(columns), _row(["---"] * len(columns))]
    size = sum(map(len, lines))
    shown = 0
    for row in frame.select(columns).head(rows).iter_rows():
        line = _row([_cell(value) for value in row])
        size += len(line) + 1
        if shown and size > MAX_INLINE:
            break
        lines.append(line)
        shown += 1
    if frame.height > shown:
        lines.append(f"\n... and {frame.height - shown} more rows")
    return dg.MetadataValue.md("\n".join(lines))


def bar_chart(title: str, series: Mapping[str, Mapping[str, int]]) -> dg.MarkdownMetadataValue:
    """What `bar_picture` draws, inside Markdown."""
    return _shown(title, bar_picture(title, series))


def bar_picture(title: str, series: Mapping[str, Mapping[str, int]]) -> bytes:
    """Stacked horizontal bars, one a key of `series`, its parts in their order. A PNG."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6.4, 0.8 + 0.36 * max(len(series), 1)), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    parts = list(dict.fromkeys(part for values in series.values() for part in values))
    names = list(series)
    left = [0] * len(names)
    for part in parts:
        widths = [series[name].get(part, 0) for name in names]
        bars = axes.barh(names, widths, left=left, label=part, color=COLOURS.get(part, PLAIN))
        axes.bar_label(bars, [str(width) if width else "" for width in widths], label_type="center")
        left = [before + width for before, width in zip(left, widths, strict=True)]
    axes.set_title(title, loc="left", fontsize=10)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(parts) > 1:
        axes.legend(
            fontsize=8, frameon=False, ncols=min(len(parts), 5), loc="upper left", bbox_to_anchor=(0, -0.12)
        )
    return _png(figure)


def line_chart(
    title: str, names: Sequence[str], series: Mapping[str, Sequence[float | None]]
) -> dg.MarkdownMetadataValue:
    """What `line_picture` draws, inside Markdown."""
    return _shown(title, line_picture(title, names, series))


def line_picture(title: str, names: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> bytes:
    """Lines from 0 to 1 over `names`, one a key of `series`; None leaves a gap. A PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.2), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    for label, values in series.items():
        heights = [math.nan if value is None else value for value in values]
        axes.plot(range(len(names)), heights, marker="o", markersize=4, label=label)
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(0, -0.12))
    return _png(figure)


def _png(figure: Figure) -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _shown(title: str, picture: bytes) -> dg.MarkdownMetadataValue:
    encoded = base64.b64encode(picture).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")


PLAIN = "#7fa7c9"
COLOURS = {
    "solved": "#2f9e6e",
    "unsolved": "#d9822b",
    "unverified": "#8a94a6",
    "infrastructure_error": "#c23b4b",
    "cancelled": "#5c677d",
    "accepted": "#2f9e6e",
    "rejected": "#d9822b",
    "undecided": "#8a94a6",
}


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    text = " ".join(text.split()).replace("|", "\\|")
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"
