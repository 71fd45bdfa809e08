"""Decontamination: many documents held against many evaluation items, some of which are planted in them.

As a program, with a folder of evaluation sets and a Parquet file of texts: leaves the hits beside the file
and says what reading the sets, indexing and scanning took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from adp_assets.curation.decontamination.evaluation import EvaluationSet
from adp_assets.curation.decontamination.scanner import Scanner
from benchmarks.curation.alone import alone, peak_mb
from benchmarks.curation.documents import drawn, vocabulary

DOCUMENTS, QUICK_DOCUMENTS = 100_000, 2_000
ITEMS, QUICK_ITEMS = 9_000, 500
PLANTED = ("verbatim", "half", "numbers")
"""How an item is in a document: as it is, one half of it, with its numbers changed."""
PLANTED_SHARE = 0.005
"""Of the documents, each way."""
LENGTHS = (20, 100)
"""Words an item, drawn evenly."""
NUMBERS = 0.07
"""Share of an item's words that are numbers, as in word problems."""


def measure(*, quick: bool) -> dict[str, dict[str, float | None]]:
    """CPU seconds and peak; the share found of each way of planting, and of clean documents flagged."""
    with TemporaryDirectory(prefix="adp-bench-") as name:
        folder = Path(name)
        planted = _written(
            folder, QUICK_DOCUMENTS if quick else DOCUMENTS, QUICK_ITEMS if quick else ITEMS, seed=9
        )
        took = alone(__name__, folder / "sets", folder / "documents.parquet")
        hits = pl.read_parquet(folder / "hits.parquet")
    found = planted.join(hits, left_on=["id", "place"], right_on=["id", "place"], how="semi")
    shares = {
        f"found_{way}": round(found.filter(way=way).height / planted.filter(way=way).height, 4)
        for way in PLANTED
    }
    clean = hits.join(planted, on=["id", "place"], how="anti")
    return {"decontamination": {**took, **shares, "false_flags": clean["id"].n_unique()}}


def _written(folder: Path, documents: int, items: int, seed: int) -> pl.DataFrame:
    """Leave sets and documents in a folder; gives which document holds which item in which `way`."""
    rng = np.random.default_rng(seed)
    known = vocabulary(rng)
    texts = [known[words] for words in drawn(documents, rng)]
    problems = [_problem(known[words], rng) for words in drawn(items, rng, LENGTHS)]
    (folder / "sets").mkdir()
    pl.DataFrame({"question": [" ".join(words) for words in problems]}).write_ndjson(
        folder / "sets" / "a.jsonl"
    )
    count = int(documents * PLANTED_SHARE)
    chosen = rng.choice(documents, len(PLANTED) * count, replace=False)
    places = rng.integers(items, size=len(chosen))
    ways = np.repeat(PLANTED, count)
    for document, place, way in zip(chosen, places, ways, strict=True):
        texts[document] = np.insert(texts[document].astype(object), 100, _planted(problems[place], way, rng))
    pl.DataFrame({"text": [" ".join(words) for words in texts]}).write_parquet(folder / "documents.parquet")
    return pl.DataFrame({"id": chosen.astype(np.int64), "place": places + 1, "way": ways})


def _problem(words: np.ndarray, rng: np.random.Generator) -> list[str]:
    said: list[str] = words.tolist()
    for place in np.flatnonzero(rng.random(len(said)) < NUMBERS):
        said[place] = str(rng.integers(2, 500))
    return said


def _planted(words: list[str], way: str, rng: np.random.Generator) -> list[str]:
    if way == "half":
        start = len(words) // 2 * int(rng.integers(2))
        return words[start : start + len(words) // 2]
    if way == "numbers":
        return [str(rng.integers(500, 900)) if word.isdigit() else word for word in words]
    return words


def main(sets: str, documents: str) -> None:
    texts = pl.read_parquet(documents)["text"]
    started = time.process_time()
    scanner = Scanner(EvaluationSet.read(Path(sets)))
    hits = scanner.scan(pl.Series(np.arange(len(texts))), texts)
    seconds = time.process_time() - started
    hits.write_parquet(Path(documents).with_name("hits.parquet"))
    sys.stdout.write(json.dumps({"cpu_seconds": round(seconds, 2), "peak_mb": peak_mb()}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
