"""What the UI shows of an asset beside its rows: previews as Markdown tables, charts as pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

import dagster as dg
import polars as pl

MAX_CELL = 80


def preview(frame: pl.DataFrame, columns: Sequence[str], rows: int = 10) -> dg.MarkdownMetadataValue:
    """The first rows of some columns as a Markdown table; long cells are cut."""
    shown = frame.select(columns).head(rows)
    lines = [_row(columns), _row(["---"] * len(columns))]
    lines += [_row([_cell(value) for value in row]) for row in shown.iter_rows()]
    if frame.height > rows:
        lines.append(f"\n... and {frame.height - rows} more rows")
    return dg.MetadataValue.md("\n".join(lines))


def bar_chart(title: str, series: Mapping[str, Mapping[str, int]]) -> dg.MarkdownMetadataValue:
    """Stacked horizontal bars, one a key of `series`, its parts in their order; a picture inside Markdown."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6.4, 0.9 + 0.42 * max(len(series), 1)), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    parts = list(dict.fromkeys(part for values in series.values() for part in values))
    names = list(series)
    left = [0] * len(names)
    for part in parts:
        widths = [series[name].get(part, 0) for name in names]
        axes.barh(names, widths, left=left, label=part, color=COLOURS.get(part))
        left = [before + width for before, width in zip(left, widths, strict=True)]
    axes.set_title(title, loc="left", fontsize=10)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if parts:
        axes.legend(
            fontsize=8, frameon=False, ncols=min(len(parts), 5), loc="upper left", bbox_to_anchor=(0, -0.12)
        )
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    encoded = base64.b64encode(picture.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")


COLOURS = {
    "solved": "#2f9e6e",
    "unsolved": "#d9822b",
    "unverified": "#8a94a6",
    "infrastructure_error": "#c23b4b",
    "cancelled": "#5c677d",
    "accepted": "#2f9e6e",
    "rejected": "#d9822b",
}


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    text = " ".join(text.split()).replace("|", "\\|")
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"
