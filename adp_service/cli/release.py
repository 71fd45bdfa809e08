"""`adp release`: the releases that there are, and whether one is what it says."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.table import Column, Table

from adp_assets.curation.release.manifest import changed_files, rows_digest
from adp_assets.curation.release.releases import Release, release_named, releases
from adp_assets.curation.release.remake import remade
from adp_service.cli.output import complain, console, counted, id_column, print_table, shown_path, shown_time
from adp_service.platform import Platform

release = typer.Typer(no_args_is_help=True, help="The releases of datasets, which are never changed.")
Name = Annotated[str, typer.Argument(help="A release's name.")]


@release.command("list")
def list_releases(
    as_json: Annotated[bool, typer.Option("--json", help="The manifests as JSON.")] = False,
) -> None:
    """Every release with its rows, when it was made, and from which rounds."""
    found = list(releases(Platform({}).settings.output))
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode([each.manifest for each in found])))
        return
    if not found:
        console.print("There is no release yet. Make one: adp export")
        return
    table = Table(
        id_column("release", [each.name for each in found]), "made", "rounds", Column("rows"), box=None
    )
    for each in found:
        splits = ", ".join(f"{split} {rows:,}" for split, rows in each.manifest["splits"].items())
        made = shown_time(each.manifest["made_at"])
        table.add_row(each.name, made, str(len(each.manifest["rounds"])), splits or "none")
    print_table(table)


@release.command("verify")
def verify_release(
    name: Name,
    remake: Annotated[
        bool, typer.Option("--remake", help="Choose its rows anew from its rounds, too, and compare.")
    ] = False,
) -> None:
    """Prove that a release is whole: every file is as its manifest says. Exit code 1 where one is not.

    With `--remake` its rows are chosen again by its recipe from the rounds as they are now. They differ when
    rounds were graded anew, trajectories were forgotten, evaluation sets or this code changed; what of these
    it was is told.
    """
    platform = Platform({})
    found = release_named(platform.settings.output, name)
    faults = list(changed_files(found.folder, found.manifest))
    for fault in faults:
        complain(f"Release {name}: {fault}.", "Restore it from a copy, or make another release.")
    if not faults:
        files = counted(len(found.manifest["files"]), "file")
        console.print(f"Release {name} is whole: {files} in {shown_path(found.folder)}.")
    if remake and not _same_again(platform, found):
        raise typer.Exit(1)
    if faults:
        raise typer.Exit(1)


def _same_again(platform: Platform, found: Release) -> bool:
    again = remade(platform.settings, found)
    if rows_digest(again.curation.kept, "split") == found.manifest["digest"]:
        console.print("Chosen anew from its rounds, it has the same rows in the same splits.")
        return True
    said = "; ".join(again.differences) or "nothing that its manifest tells of"
    complain(f"Chosen anew, release {found.name} has other rows. What changed: {said}.")
    return False
