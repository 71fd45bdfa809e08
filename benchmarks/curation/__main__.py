"""Curation's figures: `make bench-curation`; `--quick` only shows that it works.

Each is measured in a process of its own. `BARS` has the bars; null is what nothing was there for.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from benchmarks.curation import decontamination, near_duplicates, parquet, viewer, whole
from benchmarks.measure import describe_machine

BARS = {
    "near_duplicates.recall": "of pairs with a Jaccard similarity of 0.8 or more: >= 0.99",
    "near_duplicates.precision": "of what is taken for a copy: >= 0.99",
    "near_duplicates.cpu_ratio": "CPU seconds for 100,000 documents / datasketch's as it comes: <= 0.25",
    "near_duplicates.cpu_ratio_xxh3": "the same with a faster hash given to datasketch",
    "near_duplicates.peak_mb": "<= 2,500",
    "cluster.cpu_seconds": "5,000 copies of one document: <= 10",
    "cluster.peak_mb": "<= 3,000",
    "decontamination.cpu_seconds": "9,000 items, 100,000 documents: <= 10",
    "decontamination.peak_mb": "<= 1,000",
    "curation.cpu_seconds": "100,000 trajectories of 7 messages to a release: <= 120",
    "curation.peak_mb": "<= 3,000",
    "curation.linearity": "CPU a row of 400,000 / of 100,000: <= 1.15",
    "curation.peak_mb_of_400000": "<= 6,000",
    "parquet_ratio": "rows a second / polars' own: >= 0.8",
    "viewer.first_view_ms": "a report of 10,000 trajectories, until it shows: <= 1,000",
    "viewer.trajectory_ms": "opening one of them: <= 200",
}
MEASURES = (
    near_duplicates.measure,
    decontamination.measure,
    whole.measure,
    parquet.measure,
    lambda quick: {"viewer": viewer.measure(quick=quick)},
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure curation.")
    parser.add_argument("--quick", action="store_true", help="little of everything: the figures mean nothing")
    quick = parser.parse_args().quick
    described = describe_machine()
    figures: dict[str, Any] = {
        name: told for measure in MEASURES for name, told in measure(quick=quick).items()
    }
    for name, bar in BARS.items():
        group, _, key = name.partition(".")
        print(f"{name}: {figures[group][key] if key else figures[group]} ({bar})", file=sys.stderr)
    print(json.dumps({**figures, "machine": described}))


if __name__ == "__main__":
    main()
