"""Evaluation sets in a folder, and real ones where there are any."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adp_assets.curation.decontamination.evaluation import EvaluationSet

DATA = Path(os.environ.get("ADP_TEST_DATA", Path(__file__).parents[5] / "shared/data"))
REAL = ("gsm8k_test.jsonl", "webarena_lite.json")


def evaluation(folder: Path, texts: Sequence[str], name: str = "set.jsonl") -> EvaluationSet:
    """A set of these questions, one a row."""
    written(folder / name, [{"id": number, "question": text} for number, text in enumerate(texts)])
    return EvaluationSet.read(folder)


def written(path: Path, rows: Sequence[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def real(folder: Path) -> EvaluationSet:
    """GSM8K's test problems and WebArena-Lite; the test is skipped where they are not."""
    for name in REAL:
        if not (DATA / name).exists():
            pytest.skip(f"no {DATA / name}: set ADP_TEST_DATA to the folder that holds {' and '.join(REAL)}")
        shutil.copy(DATA / name, folder)
    return EvaluationSet.read(folder)
