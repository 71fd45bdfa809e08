"""`adp export`: a dataset release over rounds."""

from __future__ import annotations

from typing import Annotated

import polars as pl
import typer

from adp_assets.curation.assets import release_folder
from adp_assets.curation.card import teachers
from adp_assets.curation.export import split_sizes
from adp_assets.rounds import next_name
from adp_service.cli.output import complain, console, counted, fields, note, shown_path
from adp_service.driver import bury_dead_runs, run_release
from adp_service.platform import Platform
from runtimes.llm.base import BUILTIN


def export(
    name: Annotated[str | None, typer.Argument(help="The release's name. Default: the next number.")] = None,
    rounds: Annotated[
        list[str] | None, typer.Option("--round", "-r", help="A round to include; repeatable. Default: all.")
    ] = None,
) -> None:
    """Gather the datasets of rounds into one release: Parquet by split, with a dataset card.

    The same as materializing `dataset_release` in the UI. Load it with `datasets.load_dataset(FOLDER)`.
    """
    platform = Platform({})
    bury_dead_runs(platform)
    known = platform.instance.get_dynamic_partitions("releases")
    release = name or next_name(known, prefix="release")
    folder = release_folder(platform.settings.output, release)
    ran = run_release(platform, release, rounds or [])
    if not ran.ok:
        complain(f"Release {release} failed: {ran.failure}")
        raise typer.Exit(1)
    rows = pl.read_parquet(platform.settings.output / "assets" / "dataset_release" / f"{release}.parquet")
    splits = ", ".join(f"{split} {count}" for split, count in split_sizes(rows).items()) or "no rows"
    console.print(f"Release {release}")
    fields(
        {
            "rows": splits,
            "made by": "\n".join(f"{name}: {count}" for name, count in teachers(rows).items()) or "nobody",
            "folder": shown_path(folder),
            "card": shown_path(folder / "README.md"),
        }
    )
    if toys := rows.filter(pl.col("teacher") == BUILTIN).height:
        note(
            f"{toys} of {counted(rows.height, 'row')} are the built-in teacher's, no language model's: "
            "leave them out by `teacher`, or name the rounds to take with --round."
        )
