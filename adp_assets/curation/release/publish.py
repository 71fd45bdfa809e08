"""Writing a dataset: one folder with everything in it, put in place in one move, or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from adp_assets.curation.curate import Curation
from adp_assets.curation.decontamination.evaluation import EvaluationSet
from adp_assets.curation.formats.base import Stamp
from adp_assets.curation.recipe import Recipe
from adp_assets.curation.release.card import DIVERSITY_PICTURE, FUNNEL_PICTURE, Contents, card
from adp_assets.curation.release.gates import gates
from adp_assets.curation.release.manifest import HITS, LINEAGE, OF_LINEAGE, manifest, write_manifest
from adp_assets.curation.release.writing import Recorded, write_rows
from adp_assets.curation.rows import OF_DATASET
from adp_assets.curation.store import RowStore
from adp_assets.display import bar_picture
from adp_assets.diversity.measure import Measures
from adp_assets.diversity.shown import diversity_picture
from adp_assets.findings import Finding
from adp_assets.report.content import Report
from adp_assets.report.write import write_report
from adp_resources.files import replacing_folder
from adp_resources.parquet import write_frame

REPORT = "report"


@dataclass(frozen=True)
class Dataset:
    """What is to be written.

    `evaluation` are the evaluation sets and the folder they are from, `made_at` is in epoch seconds; `stop`
    may raise to give it up.
    """

    name: str
    recipe: Recipe
    store: RowStore
    curation: Curation
    evaluation: tuple[str, EvaluationSet] | None
    diversity: Mapping[str, Measures]
    recorded: Recorded
    report: Report
    made_by: str
    made_at: float
    stop: Callable[[], None] = lambda: None

    def rows(self) -> pl.DataFrame:
        """The rows that are kept, with `rows.OF_DATASET`."""
        parts = [
            part.select(list(OF_DATASET))
            for part in self.store.batches(["messages", "tools"], self.curation.kept)
        ]
        return pl.concat(parts) if parts else pl.DataFrame(schema=OF_DATASET)


def publish(
    folder: Path, dataset: Dataset, max_drift: float, *, blocking: bool = False
) -> dict[str, Finding]:
    """Write a dataset and look at what was written; gives what was found (`gates`).

    It takes the place of what `folder` held. With `blocking` nothing may be there, and it is put there only
    where no finding stops it. Raises ConfigurationError when it cannot be; then the old folder stands.
    """
    found: dict[str, Finding] = {}
    with suppress(_Stopped), replacing_folder(folder, replace=not blocking) as temporary:
        written = _write(temporary, dataset)
        dataset.stop()
        found |= gates(temporary, written, dataset.curation, dataset.recipe, dataset.store, max_drift)
        if blocking and any(finding.stops and not finding.passed for finding in found.values()):
            raise _Stopped
        dataset.store.check_unchanged()
    return found


class _Stopped(Exception):
    """What was written is not to be put in place."""


def _write(folder: Path, dataset: Dataset) -> pl.DataFrame:
    """All files; gives a line for each row in each of the data files (`gates`)."""
    curation = dataset.curation
    values = manifest(
        dataset.name,
        dataset.recipe.model_dump(mode="json", exclude_defaults=True, exclude={"to"}),
        curation.rows,
        curation.kept,
        funnel=curation.funnel,
        evaluation=_described(*dataset.evaluation, curation.hits.height) if dataset.evaluation else None,
        made_by=dataset.made_by,
        made_at=dataset.made_at,
    )
    stamp = Stamp(dataset.made_by, values["lineage_hash"])
    tally = write_rows(folder, dataset.store, curation, dataset.recipe, stamp, dataset.recorded, dataset.stop)
    write_frame(_lineage(curation.rows), folder / LINEAGE, {})
    if curation.hits.height:
        write_frame(curation.hits, folder / HITS, {})
    stages = {stage: {"trajectories": count} for stage, count in curation.funnel.items()}
    (folder / FUNNEL_PICTURE).write_bytes(bar_picture("Funnel", stages))
    if dataset.diversity:
        (folder / DIVERSITY_PICTURE).write_bytes(diversity_picture(dataset.diversity))
    contents = Contents.of(tally)
    values |= {"written": contents.plain(), "left_out": dict(contents.left_out)}
    text = card(values, curation.kept, contents, dataset.diversity)
    (folder / "README.md").write_text(text, encoding="utf-8")
    write_report(folder / REPORT, dataset.report)
    write_manifest(folder, values)
    return tally.written


def _lineage(rows: pl.DataFrame) -> pl.DataFrame:
    """Every row with its split or the stage that left it out."""
    split = pl.when(pl.col("dropped") == "").then("split").otherwise(pl.lit("")).alias("split")
    return rows.with_columns(split).select(OF_LINEAGE)


def _described(folder: str, evaluation: EvaluationSet, hits: int) -> dict[str, Any]:
    files = Counter(item.file for item in evaluation.items)
    return {
        "folder": folder,
        "digest": evaluation.digest(),
        "items": len(evaluation.items),
        "files": dict(files),
        "too_short": dict(evaluation.left_out),
        "hits": hits,
    }
