"""Choosing a release's rows anew by its manifest, to prove that it can be made again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from adp_assets.curation.curate import Curation, curate
from adp_assets.curation.decontamination.evaluation import EvaluationSet
from adp_assets.curation.recipe import recipe_of
from adp_assets.curation.release.manifest import rows_digest
from adp_assets.curation.release.releases import Release
from adp_assets.curation.store import RowStore
from adp_resources.settings import Settings
from runtimes.version import code_version


@dataclass(frozen=True)
class Remade:
    """The rows chosen anew, and what is not as it was then, in words."""

    curation: Curation
    differences: tuple[str, ...]


def remade(settings: Settings, release: Release) -> Remade:
    """Choose by a release's recipe from its rounds, its tasks as difficult as they were then.

    Raises ConfigurationError for rounds or evaluation sets that are gone.
    """
    manifest = release.manifest
    recipe = recipe_of(manifest["recipe"], f"The recipe of release {release.name}")
    place = (manifest["evaluation"] or {}).get("folder", "")
    evaluation = EvaluationSet.read(settings.path(place)) if place else None
    lineage = release.lineage()
    difficulty = dict(lineage.select("task_id", "difficulty").unique("task_id").iter_rows())
    store = RowStore.of_rounds(settings.output, list(manifest["rounds"]))
    curation = curate(store, recipe, difficulty=difficulty, evaluation=evaluation)
    differences = [*_differences(manifest, curation.rows, evaluation)]
    if curation.funnel != manifest["funnel"]:
        differences.append("how many rows each stage left")
    return Remade(curation, tuple(differences))


def _differences(
    manifest: Mapping[str, Any], rows: pl.DataFrame, evaluation: EvaluationSet | None
) -> Iterator[str]:
    for round, said in manifest["rounds"].items():
        if rows_digest(rows.filter(pl.col("round") == round)) != said["digest"]:
            yield f"the trajectories of {round}"
    if evaluation is not None and evaluation.digest() != manifest["evaluation"]["digest"]:
        yield "the evaluation sets"
    if code_version() != manifest["code_version"]:
        yield f"this code, from {manifest['code_version']} to {code_version()}"
