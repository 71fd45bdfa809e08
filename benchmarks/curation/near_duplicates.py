"""Near duplicates: how many of the planted ones are found, what that takes, and what it takes datasketch.

Truth is the exact Jaccard similarity of word 3-grams, from 0.8 on, on both sides. As a program, with a
Parquet file of texts: finds the clusters, leaves them beside it, and says what that took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from adp_assets.curation.likeness.clusters import THRESHOLD, near_duplicates
from benchmarks.curation import rival
from benchmarks.curation.alone import alone, peak_mb
from benchmarks.curation.documents import Corpus, corpus, jaccard, twins

DOCUMENTS, QUICK_DOCUMENTS = 100_000, 2_000
TWINS, QUICK_TWINS = 5_000, 200


def measure(*, quick: bool) -> dict[str, dict[str, float | None]]:
    """`near_duplicates` over many documents, `cluster` over the copies of a single one."""
    with TemporaryDirectory(prefix="adp-bench-") as folder:
        documents = Path(folder) / "documents.parquet"
        planted = corpus(QUICK_DOCUMENTS if quick else DOCUMENTS)
        planted.texts.to_frame().write_parquet(documents)
        found = alone(__name__, documents)
        labels = np.load(_labels(documents))
        theirs = rival.cpu_seconds(planted.texts, Path(folder))
        copies = Path(folder) / "twins.parquet"
        twins(QUICK_TWINS if quick else TWINS).alias("text").to_frame().write_parquet(copies)
        cluster = alone(__name__, copies)
        if np.load(_labels(copies)).any():
            raise RuntimeError("the copies of one document are not one cluster")
    return {
        "near_duplicates": {
            "recall": round(_recall(planted, labels), 5),
            "precision": round(_precision(planted, labels), 5),
            "cpu_ratio": _ratio(found["cpu_seconds"], theirs.get("sha1")),
            "cpu_ratio_xxh3": _ratio(found["cpu_seconds"], theirs.get("xxh3")),
            "cpu_seconds": found["cpu_seconds"],
            "peak_mb": found["peak_mb"],
        },
        "cluster": cluster,
    }


def _ratio(ours: float, theirs: float | None) -> float | None:
    return round(ours / theirs, 3) if theirs else None


def _recall(planted: Corpus, labels: np.ndarray) -> float:
    """Of the planted pairs that are like enough, the share in one cluster."""
    alike = planted.pairs[planted.likeness >= THRESHOLD]
    return float((labels[alike[:, 0]] == labels[alike[:, 1]]).mean())


def _precision(planted: Corpus, labels: np.ndarray) -> float:
    """Of the rows that are to go, the share that is like the row that stays."""
    gone = np.flatnonzero(labels != np.arange(len(labels)))
    right = [jaccard(planted.texts[int(row)], planted.texts[int(labels[row])]) >= THRESHOLD for row in gone]
    return float(np.mean(right))


def _labels(texts: Path) -> Path:
    return texts.with_suffix(".npy")


def main(file: str) -> None:
    texts = pl.read_parquet(file)["text"]
    started = time.process_time()
    labels = near_duplicates(texts)
    seconds = time.process_time() - started
    np.save(_labels(Path(file)), labels)
    sys.stdout.write(json.dumps({"cpu_seconds": round(seconds, 2), "peak_mb": peak_mb()}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
