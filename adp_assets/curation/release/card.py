"""The dataset card: a README in the form that the Hugging Face Hub reads: how it was made, what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import yaml  # type: ignore[import-untyped]

from adp_assets.curation.examples import Shape
from adp_assets.curation.release.manifest import split_sizes
from adp_assets.curation.release.writing import Tally, folder_of
from adp_assets.diversity.measure import Measures
from adp_assets.diversity.shown import CHART, in_words
from runtimes.llm.base import BUILTIN

FUNNEL_PICTURE, DIVERSITY_PICTURE = "funnel.png", "diversity.png"
_SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}
_NAMES = {"en": "English", "zh": "Chinese"}
LIMITS = """\
- What a row is worth is the verdict of its verifier, which `verifier` names: a weak one lets wrong work pass.
- Secrets and personal data are found by their shape. Names and postal addresses are not looked for.
- Evaluation items are found where runs of words are the same; a paraphrase or a translation is not.
- `tokens` are those that the provider of the teacher counted, with its own tokenizer."""


@dataclass(frozen=True)
class Contents:
    """What was written: rows by shape, format and split; and those a format could not hold, by reason."""

    rows: Mapping[tuple[Shape, str, str], int]
    left_out: Mapping[str, int]

    @classmethod
    def of(cls, tally: Tally) -> Contents:
        key = ["shape", "format", "split"]
        sizes = tally.written.unique([*key, "id"]).group_by(key).len().sort(key)
        return cls(
            {(shape, form, split): size for shape, form, split, size in sizes.iter_rows()}, tally.left_out
        )

    def plain(self) -> list[dict[str, Any]]:
        """The rows as JSON has them."""
        names = ("shape", "format", "split")
        return [{**dict(zip(names, key, strict=True)), "rows": rows} for key, rows in self.rows.items()]


def card(
    manifest: Mapping[str, Any],
    kept: pl.DataFrame,
    contents: Contents,
    diversity: Mapping[str, Measures],
) -> str:
    """The card of a dataset of these rows; its pictures lie beside it.

    `kept` has the columns that `curate` gives, `diversity` the measures of the rounds they come from.
    """
    sections = [
        _header(kept, contents, manifest["splits"], manifest["digest"]),
        f"# {manifest['name']}",
        f"Trajectories of AI agents. {_verified(kept)} `messages` and `tools` are chat messages and tool "
        "schemas as JSON; call arguments are objects.",
        *_warnings(kept),
        *_making(manifest, contents),
        *_statistics(manifest, kept, contents),
        *_lineage(kept),
        *_diversity(diversity),
        f"## Known limits\n\n{LIMITS}",
        *_loading(contents),
    ]
    return "\n\n".join(sections) + "\n"


def _header(kept: pl.DataFrame, contents: Contents, splits: Mapping[str, int], digest: str) -> str:
    licences = sorted(set(kept["licence"].to_list()))
    languages = sorted({language for language in kept["language"].to_list() if language})
    configs = _configs(contents, splits)
    values: dict[str, Any] = {
        "tags": ["agent", "tool-use", "trajectories"],
        "task_categories": ["text-generation"],
        **({"language": languages} if languages else {}),
        **(
            {"license": licences[0].lower()}
            if len(licences) == 1 and licences[0] != "unknown"
            else {"license": "other"}
        ),
        "size_categories": [next((name for most, name in _SIZES.items() if kept.height < most), "n>1M")],
        # `datasets` keeps what it has once read by a folder's name and this header alone.
        "dataset_info": [
            {"config_name": config["config_name"], "description": f"rows {digest}"} for config in configs
        ],
        "configs": configs,
    }
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---"


def _configs(contents: Contents, splits: Mapping[str, int]) -> list[dict[str, Any]]:
    """What `datasets` loads by name: each shape that was written as `hf`, whole conversations by default."""
    found = []
    for shape in dict.fromkeys(shape for shape, form, _ in contents.rows if form == "hf"):
        folder = f"{folder_of(shape, 'hf')}/".lstrip("/")
        filled = [split for (kind, form, split) in contents.rows if kind == shape and form == "hf"]
        config: dict[str, Any] = {
            "config_name": "default" if shape == "sft" else shape,
            "data_files": [
                {"split": split, "path": f"{folder}split={split}/*.parquet"} for split in _ordered(filled)
            ],
        }
        if shape == "sft":
            config["default"] = True
        found.append(config)
    return found


def _ordered(splits: Sequence[str]) -> list[str]:
    return sorted(set(splits), key=lambda name: (name != "train", name))


def _verified(kept: pl.DataFrame) -> str:
    nobody, judged = int((~kept["verified"]).sum()), int(kept["judged"].sum())
    if not nobody and not judged:
        return "All were verified by graders apart from the agent."
    told = [f"{nobody:,} were verified by nobody"] * bool(nobody)
    told += [f"{judged:,} by a judge's word alone"] * bool(judged)
    return f"Of {kept.height:,} {' and '.join(told)}; the others by graders apart from the agent."


def _warnings(kept: pl.DataFrame) -> list[str]:
    if BUILTIN not in kept["teacher"]:
        return []
    return [
        "> **Built-in teacher.** Rows with `teacher: builtin` were made by the platform's scripted "
        "teacher: they prove that the pipeline works; they are not the work of a language model."
    ]


def _making(manifest: Mapping[str, Any], contents: Contents) -> list[str]:
    evaluation = manifest["evaluation"]
    decontaminated = "Not checked against any evaluation set."
    if evaluation:
        evidence = "`provenance/hits.parquet` has the evidence of each overlap."
        hits = evidence if evaluation["hits"] else "None overlaps."
        files = ", ".join(evaluation["files"])
        decontaminated = f"Checked against {evaluation['items']:,} items of {files}. {hits}"
    asked = dict(manifest["recipe"])
    rounds = "1 round" if len(manifest["rounds"]) == 1 else f"{len(manifest['rounds']):,} rounds"
    recipe = yaml.safe_dump(asked, sort_keys=False, allow_unicode=True).strip() if asked else "{}"
    left_out = [
        "Rows that a format could not hold:",
        table(("reason", "rows"), contents.left_out),
    ]
    return [
        "## How it was made",
        f"From {rounds}, with this recipe (other keys are as by default):",
        f"```yaml\n{recipe}\n```",
        f"![Funnel]({FUNNEL_PICTURE})",
        table(("stage", "trajectories"), manifest["funnel"]),
        decontaminated,
        *(left_out if contents.left_out else []),
        "`manifest.json` has digests of rounds and files, `provenance/lineage.parquet` each row's origin; "
        f"`adp release verify {manifest['name']}` proves both.",
    ]


def _statistics(manifest: Mapping[str, Any], kept: pl.DataFrame, contents: Contents) -> list[str]:
    written = {f"{shape} as {form}, {split}": rows for (shape, form, split), rows in contents.rows.items()}
    numbers = {
        name: _quartiles(kept[name]) for name in ("steps", "characters", "tokens", "difficulty", "reward")
    }
    return [
        "## What is in it",
        table(("written", "rows"), written),
        table(("split", "conversations"), split_sizes(kept)),
        table(("task type", "rows"), counts(kept, "task_type")),
        table(("domain", "rows"), counts(kept, "domain")),
        table(
            ("language", "rows"), {_NAMES.get(name, name): n for name, n in counts(kept, "language").items()}
        ),
        table(("teacher and model", "rows"), manifest["teachers"]),
        table(("verifier", "rows"), counts(kept, "verifier")),
        table(("number", "least, quartiles, most"), {name: said for name, said in numbers.items() if said}),
    ]


def _quartiles(values: pl.Series) -> str:
    found = values.drop_nulls()
    if found.is_empty():
        return ""
    points = (found.quantile(at, "nearest") for at in (0, 0.25, 0.5, 0.75, 1))
    return ", ".join(f"{point:,.6g}" for point in points if point is not None)


def _lineage(kept: pl.DataFrame) -> list[str]:
    sources = {
        f"{source} | {licence}": rows
        for source, licence, rows in kept.group_by("source", "licence")
        .len()
        .sort("source", "licence")
        .iter_rows()
    }
    return [
        "## Lineage",
        f"{kept['root_id'].n_unique():,} root seeds, {kept['task_id'].n_unique():,} tasks, "
        f"{kept['family'].n_unique():,} families. Splits are by family: no relative, and no near copy of "
        "one, is in two splits.",
        table(("source | licence", "rows"), sources, columns=3),
        table(("made by operator", "rows"), counts(kept, "operator")),
        table(("round", "rows"), counts(kept, "round")),
    ]


def _diversity(diversity: Mapping[str, Measures]) -> list[str]:
    if not diversity:
        return []
    return [
        "## Diversity of the tasks",
        f"![{CHART}]({DIVERSITY_PICTURE})",
        table(("round", "tasks"), {round: in_words(each) for round, each in diversity.items()}),
    ]


def _loading(contents: Contents) -> list[str]:
    if not any(form == "hf" for _, form, _ in contents.rows):
        return []
    others = [shape for shape, form, _ in contents.rows if form == "hf" and shape != "sft"]
    named = f', "{others[0]}"' if others and ("sft", "hf") not in {key[:2] for key in contents.rows} else ""
    return [
        "## Loading",
        "```python\nimport datasets\n\n"
        f'rows = datasets.load_dataset("<this folder>"{named}, split="train")\n```',
    ]


def counts(rows: pl.DataFrame, column: str) -> dict[str, int]:
    """How many rows have each value, by value."""
    found = rows.group_by(column).len().sort(column).iter_rows()
    return {str(value or "not named"): count for value, count in found}


def table(head: tuple[str, str], values: Mapping[str, int | str], columns: int = 2) -> str:
    """A Markdown table of names and values."""
    lines = [f"| {head[0]} | {head[1]} |", "| " + " | ".join(["---"] * columns) + " |"]
    shown = ((key, f"{value:,}" if isinstance(value, int) else value) for key, value in values.items())
    return "\n".join(lines + [f"| {' '.join(str(key).split())} | {value} |" for key, value in shown])
