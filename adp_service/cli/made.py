"""What the stages of rounds made of their episodes, and why of some they made nothing, in words."""

from __future__ import annotations

from collections import Counter
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from adp_assets.curation.filters import SOLVED
from adp_service.platform import Platform

LEFT_OUT = {
    "not judged alone": "passed by a judge alone",
    "not surplus": "surplus",
    "renderable": "cannot be rendered",
    "not in circles": "in circles",
    "not cut off": "cut off",
    "not repetitive": "repetitive",
    "without secrets": "secrets",
    "without personal data": "personal data",
    "each conversation once": "exact duplicates",
    "no near duplicates": "near duplicates",
    "in no evaluation set": "in an evaluation set",
}
"""Why a solved episode does not pass a stage of the dataset's funnel."""


def essences(platform: Platform, rounds: list[str]) -> str:
    """`1 of 4 (no usable reply: 3)`, of the episodes that essences could be made of, where that is known."""
    counts: Counter[str] = Counter()
    for name in rounds:
        told = _told(platform.instance, "essences", name)
        counts.update({key: told[key] for key in ("eligible", "skipped") if key in told})
    made = rows(platform.settings.output / "assets" / "essences", rounds)
    of = f" of {counts['eligible']}" if counts["eligible"] else ""
    return f"{made}{of}" + _reasons(Counter({"no usable reply": counts["skipped"]}))


def new_tasks(platform: Platform, rounds: list[str]) -> str:
    """`3 of 5 proposed, 1 undecided`, or that nothing was proposed."""
    folder = platform.settings.output / "assets" / "mutated_tasks"
    frames = [frame for name in rounds if (frame := _frame(folder, name)).height]
    if not frames:
        return "0, none was proposed"
    accepted = sum(int(frame["accepted"].sum()) for frame in frames)
    undecided = sum(frame["accepted"].null_count() for frame in frames)
    said = f"{accepted} of {sum(frame.height for frame in frames)} proposed"
    return f"{said}, {undecided} undecided" if undecided else said


def dataset_rows(platform: Platform, rounds: list[str]) -> str:
    """`12 (exact duplicates: 24)`: the rows, and what was solved and is none."""
    reasons: Counter[str] = Counter()
    for name in rounds:
        funnel = _told(platform.instance, "training_dataset", name).get("funnel", [])
        for (_, before), (stage, after) in pairwise(dropwhile(lambda each: each[0] != SOLVED, funnel)):
            reasons[LEFT_OUT.get(stage, f"not {stage}")] += before - after
    made = rows(platform.settings.output / "assets" / "training_dataset", rounds)
    return f"{made}{_reasons(reasons)}"


def rows(folder: Path, rounds: list[str]) -> int:
    """How many rows an asset has in these rounds."""
    return sum(_frame(folder, name).height for name in rounds)


def _told(instance: dg.DagsterInstance, asset: str, name: str) -> dict[str, Any]:
    """The metadata of a round's last materialization of an asset; empty without one."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[name])
    for record in instance.fetch_materializations(wanted, limit=1).records:
        if event := record.asset_materialization:
            return {key: value.value for key, value in event.metadata.items()}
    return {}


def _reasons(counts: Counter[str]) -> str:
    said = ", ".join(f"{reason}: {count}" for reason, count in counts.most_common() if count)
    return f" ({said})" if said else ""


def _frame(folder: Path, name: str) -> pl.DataFrame:
    path = folder / f"{name}.parquet"
    return pl.read_parquet(path) if path.exists() else pl.DataFrame()
