"""The dataset card: a README in the form the Hugging Face Hub reads, with counts and lineage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import polars as pl

from adp_assets.diversity.measure import Measures
from adp_assets.diversity.shown import CHART, in_words
from runtimes.llm.base import BUILTIN

PICTURE = "diversity.png"


def card(
    name: str, rows: pl.DataFrame, funnel: dict[str, int], diversity: Mapping[str, Measures] = {}
) -> str:
    """The card of a dataset of these rows.

    `diversity` are the measures of the rounds they come from; the chart of these, `PICTURE`, lies beside it.
    """
    splits = {"train": 0, **_counts(rows, "split")}
    header = ["---", "tags:", "- agent", "- tool-use", "- trajectories", "configs:", "- config_name: default"]
    header.append("  data_files:")
    for split in sorted(splits, reverse=True):
        header += [f"  - split: {split}", f"    path: split={split}/*.parquet"]
    header.append("---")
    parts = [
        "\n".join(header),
        f"# {name}",
        "Trajectories of AI agents that solved their tasks, verified by graders apart from the agent. "
        "`messages` and `tools` are chat messages and tool schemas as JSON; call arguments are objects.",
    ]
    if BUILTIN in rows["teacher"]:
        parts.append(
            "> **Built-in teacher.** Rows with `teacher: builtin` were made by the platform's scripted "
            "teacher: they prove that the pipeline works; they are not the work of a language model."
        )
    parts += [
        "## How it was selected",
        _table(("stage", "trajectories"), funnel),
        "## What is in it",
        _table(("split", "rows"), {split: splits[split] for split in sorted(splits, reverse=True)}),
        _table(("task type", "rows"), _counts(rows, "task_type")),
        _table(("teacher and model", "rows"), teachers(rows)),
        _table(("verifier", "rows"), _counts(rows, "verifier")),
        "## Lineage",
        f"{rows['root_id'].n_unique()} root seeds, {rows['task_id'].n_unique()} tasks. Splits are by root "
        "seed: no relative of a test row is in the training split.",
        _table(("made by operator", "rows"), _counts(rows, "operator")),
        _table(("round", "rows"), _counts(rows, "round")),
    ]
    if diversity:
        parts += [
            "## Diversity of the tasks",
            f"![{CHART}]({PICTURE})",
            _table(("round", "tasks"), {round: in_words(each) for round, each in diversity.items()}),
        ]
    parts += [
        "## Loading",
        '```python\nimport datasets\n\nrows = datasets.load_dataset("<this folder>", split="train")\n```',
    ]
    return "\n\n".join(parts) + "\n"


def _counts(rows: pl.DataFrame, column: str) -> dict[str, int]:
    return dict(sorted(Counter(rows[column].to_list()).items()))


def teachers(rows: pl.DataFrame) -> dict[str, int]:
    """How many rows each teacher made with each model, by `teacher / model`."""
    pairs = Counter(f"{teacher} / {model}" for teacher, model in rows.select("teacher", "model").iter_rows())
    return dict(sorted(pairs.items()))


def _table(head: tuple[str, str], values: Mapping[str, int | str]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "| --- | --- |"]
    return "\n".join(lines + [f"| {key} | {value} |" for key, value in values.items()])
