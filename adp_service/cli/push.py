"""`adp push`: a release on the Hugging Face Hub or another store; a dry run unless it is meant."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
import typer

from adp_assets.curation.release.releases import release_named
from adp_assets.curation.release.remote import put_release
from adp_service.cli.output import console, counted, fields, note
from adp_service.platform import Platform
from adp_service.pushing import Parcel, packed
from adp_service.pushing import push as send
from runtimes.errors import ConfigurationError

LARGEST = 10
"""Files that are shown by name."""


def push(
    name: Annotated[str, typer.Argument(help="A release's name.")],
    to: Annotated[
        str, typer.Option("--to", metavar="REPO", help="OWNER/NAME on the Hub, or an address: s3://...")
    ],
    really: Annotated[bool, typer.Option("--really", help="Send it.")] = False,
    public: Annotated[bool, typer.Option("--public", help="Make a new repository public.")] = False,
    provenance: Annotated[
        bool, typer.Option("--provenance", help="With where each row is from: users' ids and all.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="With the report, which shows what filters left out, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What is sent, as JSON.")] = False,
) -> None:
    """Show what would be sent of a release; with `--really` send it.

    To the Hugging Face Hub goes one commit that takes the place of what the dataset repository had; a new one
    is private unless `--public` says otherwise, an old one stays as it is. To an address goes the whole
    folder, for your own keeping, as with `adp export --to`.

    Example: `adp push coders --to me/coders`
    """
    platform = Platform({})
    release = release_named(platform.settings.output, name)
    if not _is_place(to) and not re.fullmatch(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}", to):
        raise ConfigurationError(
            f"--to {to} is no repository.", "Write OWNER/NAME, or an address such as s3://bucket/path."
        )
    own = _is_place(to)
    parcel = packed(
        platform, release, to, private=not public, provenance=own or provenance, report=own or report
    )
    if not as_json:
        _show(parcel, platform.settings.hf_endpoint, own=own)
    sent = ""
    if really:
        sent = put_release(release.folder, to) if own else send(platform, parcel)
    if as_json:
        names = ("repo", "private", "files", "kept_back", "licence", "warnings")
        plain = {name: getattr(parcel, name) for name in names}
        typer.echo(msgspec.json.format(msgspec.json.encode({**plain, "sent": sent})))
    elif sent:
        console.print(f"Sent: {sent}")
    else:
        note("Nothing was sent. With --really it is.")


def _show(parcel: Parcel, endpoint: str, *, own: bool) -> None:
    largest = sorted(parcel.files.items(), key=lambda item: -item[1])
    shown = [f"{path} ({_size(size)})" for path, size in largest[:LARGEST]]
    more = len(largest) - len(shown)
    kind = "" if own else f" on {endpoint}, {'private' if parcel.private else 'public'} if it is new"
    rows = {
        "release": parcel.release.name,
        "to": parcel.repo + kind,
        "files": f"{counted(len(parcel.files), 'file')}, {_size(sum(parcel.files.values()))}",
        "": "\n".join([*shown, *([f"and {more:,} more"] if more else [])]),
        "kept back": "\n".join(f"{folder}/: {why}" for folder, why in parcel.kept_back.items()),
        "licence": parcel.licence or "none named",
    }
    fields({label: value for label, value in rows.items() if value})
    for warning in parcel.warnings:
        note(f"{warning[0].upper()}{warning[1:]}.")


def _size(count: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1_000:
            return f"{count:,.0f} {unit}"
        count /= 1_000
    return f"{count:,.1f} GB"


def _is_place(to: str) -> bool:
    """Whether it is an address or a folder, and no repository of the Hub."""
    return "://" in to or to.startswith(("/", "./", "../"))
