"""Writing a report: one folder, in place whole or not at all."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from adp_assets.diversity.measure import UNNAMED, Measures
from adp_assets.diversity.shown import figures as diversity_figures
from adp_assets.report.chunks import Chunks
from adp_assets.report.content import MAX_LISTED, MAX_TABLE_ROWS, Report, Table
from adp_assets.report.encoding import short
from adp_assets.report.episode import Shown, described, episode, pictures
from adp_assets.report.figures import Figures
from adp_assets.report.lineage import Tasks
from adp_assets.report.listing import Listing
from adp_assets.report.pictures import Pictures
from adp_assets.report.rows import Fates, conformed, sampled
from adp_assets.report.scripts import literal, script
from adp_resources.files import replacing_folder

DATA = "data"
PAGE = "page"
INDEX = "index.html"


def write_report(folder: Path, report: Report, *, limit: int = MAX_LISTED) -> None:
    """Write a report to `folder`, replacing what that held; open its `index.html`.

    `limit` is about how many trajectories can be opened; more are counted, and a sample of them listed.
    Raises ConfigurationError when it cannot be written; then the old folder stands.
    """
    with replacing_folder(folder) as temporary:
        _copy_page(temporary)
        data = temporary / DATA
        listing, tasks, figures = Listing(), Tasks(report.tasks), Figures()
        fates = Fates(report.fates)
        chunks, kept = Chunks(data), Pictures(temporary, report.screenshots)
        for frame in report.trajectories:
            rows = conformed(frame, fates)
            figures.add(rows)
            for row in sampled(rows, limit / max(report.count, 1)).iter_rows(named=True):
                listing.add(row, tasks.number(row))
                shown = {**episode(row["trajectory"]), **described(row["description"])}
                chunks.add(_with_pictures(shown, kept))
        chunks.flush()
        tasks.add_ancestors()
        index = {
            "rows": listing.columns(),
            "tasks": tasks.columns(report.records),
            "chunks": chunks.starts,
        }
        summary = {**_summary(report), **figures.told(), "listed": len(listing)}
        texts = {"tasks": tasks.texts(), "errors": listing.errors.encoded()}
        for name, content in {"summary": summary, "index": index, "texts": texts}.items():
            (data / f"{name}.js").write_bytes(script(name, literal(content)))


def _copy_page(folder: Path) -> None:
    """The page's own files, of this package: the document above, what it loads in a folder."""
    (folder / PAGE).mkdir()
    for part in resources.files("adp_assets.report").joinpath(PAGE).iterdir():
        target = folder / part.name if part.name == INDEX else folder / PAGE / part.name
        target.write_bytes(part.read_bytes())


def _with_pictures(shown: Shown, kept: Pictures) -> Shown:
    """Steps whose picture was not kept say so."""
    missing = {digest for digest in pictures(shown) if not kept.put(digest)}
    for step in shown.get("steps", []):
        if step.get("picture") in missing:
            step["picture_missing"] = True
    return shown


def _summary(report: Report) -> dict[str, Any]:
    return {
        "title": report.title,
        "about": list(report.about.items()),
        "funnel": list(report.funnel.items()),
        "diversity": [_measures(name, measures) for name, measures in report.diversity.items()],
        "tables": [_table(table) for table in report.tables],
    }


def _measures(round: str, measures: Measures) -> dict[str, Any]:
    spreads = {"domains": measures.domains, "tools": measures.tools, "languages": measures.languages}
    return {
        "round": round,
        "tasks": measures.tasks,
        "figures": [
            (name, None if value is None else short(value, 4))
            for name, value in diversity_figures(measures).items()
        ],
        "spreads": [
            (name, [pair for pair in spread.counts.items() if pair[0] != UNNAMED])
            for name, spread in spreads.items()
        ],
        "generations": list(measures.lineage.generations.items()),
    }


def _table(table: Table) -> dict[str, Any]:
    return {
        "title": table.title,
        "note": table.note,
        "columns": list(table.columns),
        "rows": [list(row) for row in table.rows[:MAX_TABLE_ROWS]],
        "total": len(table.rows),
    }
