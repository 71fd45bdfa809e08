"""`adp export`: a dataset release over rounds."""

from __future__ import annotations

from typing import Annotated

import typer

from adp_assets.rounds import next_name
from adp_service.cli.output import complain, console, fields
from adp_service.driver import bury_dead_runs, run_release
from adp_service.platform import Platform


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
    ran = run_release(platform, release, rounds or [])
    if not ran.ok:
        complain(f"Release {release} failed: {ran.failure}")
        raise typer.Exit(1)
    folder = platform.settings.output / "releases" / release
    shards = sorted(folder.glob("split=*/*.parquet"))
    console.print(f"Release {release}")
    fields({"folder": str(folder), "card": str(folder / "README.md"), "shards": str(len(shards))})
