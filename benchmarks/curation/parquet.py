"""Writing Parquet: the default format's shards against polars' own `write_parquet` of the same frame."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from adp_assets.curation.formats import formats_of
from adp_assets.curation.formats.base import Stamp
from adp_assets.curation.rows import OF_DATASET
from adp_assets.curation.store import BATCH

ROWS, QUICK_ROWS = 100_000, 2_000
TURNS = 5
WORDS = 30_000


def measure(*, quick: bool) -> dict[str, float]:
    """`parquet_ratio`: rows a second of ours / those of polars, both taken in turns."""
    frame = _conversations(QUICK_ROWS if quick else ROWS)
    (form,) = formats_of(["hf"]).values()
    stamp = Stamp("benchmark", "none")
    ours, theirs = [], []
    with TemporaryDirectory(prefix="adp-bench-") as name:
        for turn in range(1 if quick else TURNS):
            started = time.perf_counter()
            frame.write_parquet(Path(name, f"{turn}.parquet"), compression_level=3)
            theirs.append(time.perf_counter() - started)
            started = time.perf_counter()
            form.write_rows(frame.iter_slices(BATCH), Path(name, str(turn)), stamp)
            ours.append(time.perf_counter() - started)
    return {"parquet_ratio": round(median(theirs) / median(ours), 3)}


def _conversations(rows: int) -> pl.DataFrame:
    """Rows of seven messages of made-up words, about 2 kB each."""
    random = np.random.default_rng(7)
    words = np.array(["".join(random.choice(list("abcdefghij"), 6)) for _ in range(WORDS)])
    message = '{"role":"assistant","content":"%s"}'
    texts = (" ".join(words[random.integers(0, WORDS, 280)]) for _ in range(rows))
    messages = ["[" + ",".join(message % text[at::7] for at in range(7)) + "]" for text in texts]
    numbers = pl.int_range(rows, eager=True)
    frame = pl.DataFrame({"messages": messages, "tools": ["[]"] * rows}).with_columns(
        pl.format("round-0001/t{}/0", numbers).alias("id"),
        pl.lit("train").alias("split"),
        pl.lit(1.0).alias("reward"),
    )
    missing = [
        pl.lit(None, kind).alias(each) for each, kind in OF_DATASET.items() if each not in frame.columns
    ]
    return frame.with_columns(missing).select(list(OF_DATASET))
