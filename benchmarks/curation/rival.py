"""datasketch on the same documents, in a virtual environment of its own, made when first needed."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from adp_assets.curation.likeness.clusters import THRESHOLD
from benchmarks.curation.alone import said_by
from benchmarks.rivals import Unavailable, install

REQUIREMENTS = ("datasketch==2.0.0", "numpy==2.4.6", "scipy==1.17.1", "xxhash==4.1.0")
HASHES = ("sha1", "xxh3")
"""Its default, and one that makes it faster."""
INSIDE = Path(__file__).with_name("rival_inside.py")


def cpu_seconds(texts: pl.Series, folder: Path) -> dict[str, float]:
    """What it takes to find candidates for near copies, by its hash; nothing without datasketch."""
    lines = folder / "documents.txt"
    lines.write_text("\n".join(texts), encoding="utf-8")
    try:
        python = install("datasketch", "datasketch", REQUIREMENTS)
    except Unavailable as reason:
        print(f"datasketch is not measured: {reason}", file=sys.stderr)
        return {}
    found = {}
    for name in HASHES:
        told = said_by([str(python), str(INSIDE), str(lines), str(THRESHOLD), name])
        found[name] = float(told["cpu_seconds"])
        print(f"datasketch, {name}: {found[name]} CPU s for {told['pairs']} pairs", file=sys.stderr)
    return found
