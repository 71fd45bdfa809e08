"""`adp export`: a dataset release over rounds, declared in a recipe or by arguments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml  # type: ignore[import-untyped]

from adp_assets.curation.filters import NOT_BUILTIN
from adp_assets.curation.recipe import Recipe, read_recipe, recipe_of
from adp_assets.curation.release.manifest import read_manifest
from adp_assets.curation.release.recordings import Recordings
from adp_assets.curation.release.releases import release_folder
from adp_assets.curation.store import is_current
from adp_assets.rounds import next_name
from adp_service.cli.output import complain, console, fields, note, shown_path
from adp_service.driver import bury_dead_runs, make_rows, run_release, with_dataset
from adp_service.platform import Platform
from runtimes.errors import ConfigurationError

FILTER, FORM = "Which rows", "In which form"


def export(
    name: Annotated[str | None, typer.Argument(help="The release's name. Default: the next number.")] = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", "-c", help="A recipe in YAML; options here win over it.")
    ] = None,
    rounds: Annotated[
        list[str] | None, typer.Option("--round", "-r", help="A round; repeatable.", rich_help_panel=FILTER)
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", "-t", help="A task type; repeatable.", rich_help_panel=FILTER),
    ] = None,
    teachers: Annotated[
        list[str] | None, typer.Option("--teacher", help="A provider; repeatable.", rich_help_panel=FILTER)
    ] = None,
    builtin: Annotated[
        bool, typer.Option("--builtin", help="The built-in teacher's rows, too.", rich_help_panel=FILTER)
    ] = False,
    min_reward: Annotated[
        float | None, typer.Option("--min-reward", help="From 0 to 1.", rich_help_panel=FILTER)
    ] = None,
    difficulty: Annotated[
        str | None,
        typer.Option(
            "--difficulty", metavar="LOW:HIGH", help="0.2:0.9, 0.2: or :0.9", rich_help_panel=FILTER
        ),
    ] = None,
    per_root: Annotated[
        int | None, typer.Option("--per-root", help="Rows of a root seed, at most.", rich_help_panel=FILTER)
    ] = None,
    mixture: Annotated[
        list[str] | None,
        typer.Option("--mix", metavar="TYPE=WEIGHT", help="Task types by weight.", rich_help_panel=FILTER),
    ] = None,
    splits: Annotated[
        list[str] | None,
        typer.Option("--split", metavar="NAME=SHARE", help="train=0.9, test=0.1 ...", rich_help_panel=FORM),
    ] = None,
    shapes: Annotated[
        list[str] | None,
        typer.Option("--shape", help="sft, steps, preference, rl, trajectories.", rich_help_panel=FORM),
    ] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", "-f", help="hf, openai-jsonl, ...", rich_help_panel=FORM)
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="ADDRESS", help="Also put it there: s3://...", rich_help_panel=FORM),
    ] = None,
    others: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other key of a recipe, its value as in YAML."),
    ] = None,
) -> None:
    """Gather rows of rounds into one release: filtered, without duplicates, split, with a dataset card.

    `docs/datasets.md` explains the recipe. The same as materializing `dataset_release` in the UI. Load it
    with `datasets.load_dataset(FOLDER)`.

    Example: `adp export coders --type code --min-reward 1 --shape sft --shape preference`
    """
    given = {
        "rounds": rounds,
        "task_types": types,
        "teachers": teachers,
        "builtin": builtin or None,
        "min_reward": min_reward,
        "difficulty": _bounds(difficulty),
        "per_root": per_root,
        "mixture": _shares("--mix", mixture),
        "splits": _shares("--split", splits),
        "shapes": shapes,
        "formats": formats,
        "to": to,
        **dict(_pair("--set", each, yaml.safe_load) for each in others or []),
    }
    values = (read_recipe(recipe) if recipe else {}) | {
        key: value for key, value in given.items() if value not in (None, [])
    }
    checked = recipe_of(values, str(recipe) if recipe else "The release")
    platform = Platform({})
    bury_dead_runs(platform)
    _make_rows(platform, checked)
    known = platform.instance.get_dynamic_partitions("releases")
    release = name or next_name(known, prefix="release")
    folder = release_folder(platform.settings.output, release)
    ran = run_release(platform, release, values)
    if not ran.ok:
        complain(f"Release {release} failed: {ran.failure}")
        raise typer.Exit(1)
    _show(release, folder, checked)


def _make_rows(platform: Platform, recipe: Recipe) -> None:
    """Rounds of older versions have trajectories and no rows, or others; theirs are made before."""
    output = platform.settings.output
    for name in recipe.rounds or sorted(with_dataset(platform)):
        path = output / "assets" / "training_rows" / f"{name}.parquet"
        if (path.exists() and is_current(path)) or not Recordings(output).files(name):
            continue
        note(f"The training rows of {name} are missing or of another version, and are made anew.")
        ran = make_rows(platform, name)
        if not ran.ok:
            raise ConfigurationError(f"The training rows of {name} could not be made: {ran.failure}")


def _show(name: str, folder: Path, recipe: Recipe) -> None:
    manifest = read_manifest(folder)
    rows = sum(manifest["splits"].values())
    splits = ", ".join(f"{split} {count:,}" for split, count in manifest["splits"].items())
    console.print(f"Release {name}")
    fields(
        {
            "conversations": splits or "none",
            "funnel": "\n".join(f"{count:>9,}  {stage}" for stage, count in manifest["funnel"].items()),
            **_written(manifest),
            "made by": "\n".join(f"{each}: {count:,}" for each, count in manifest["teachers"].items())
            or "nobody",
            "folder": shown_path(folder),
            "card": shown_path(folder / "README.md"),
            "report": shown_path(folder / "report" / "index.html"),
        }
    )
    left = manifest["funnel"].get(NOT_BUILTIN)
    finished = manifest["funnel"]["finished"]
    if left is not None and left < finished and not rows:
        note(
            f"{finished - left:,} trajectories are the built-in teacher's, no language model's, and were "
            "left out: --builtin takes them."
        )


def _written(manifest: dict[str, Any]) -> dict[str, str]:
    """What was written beside whole conversations as `hf`, and what formats could not hold."""
    sizes: Counter[str] = Counter()
    for each in manifest["written"]:
        sizes[f"{each['shape']} as {each['format']}"] += each["rows"]
    told = {}
    if sizes.keys() != {"sft as hf"}:
        told["written"] = "\n".join(f"{what}: {rows:,}" for what, rows in sizes.items())
    if manifest["left_out"]:
        told["not held"] = "\n".join(f"{reason}: {rows:,}" for reason, rows in manifest["left_out"].items())
    return told


def _bounds(text: str | None) -> list[float | None] | None:
    """`0.2:0.9`, either side of which may be empty."""
    if text is None:
        return None
    low, colon, high = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return [float(each) if each.strip() else None for each in (low, high)]
    except ValueError as error:
        raise ConfigurationError(
            f"--difficulty {text}: that is no range.", "Write LOW:HIGH, such as 0.2:0.9, 0.2: or :0.9."
        ) from error


def _shares(option: str, pairs: list[str] | None) -> dict[str, float] | None:
    return dict(_pair(option, each, float) for each in pairs) if pairs else None


def _pair(option: str, text: str, read: Callable[[str], Any]) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    try:
        if not equals or not name:
            raise ValueError("there is no '='")
        return name.strip(), read(value)
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"{option} {text}: {' '.join(str(error).split())}.", f"Write {option} NAME=VALUE."
        ) from error
