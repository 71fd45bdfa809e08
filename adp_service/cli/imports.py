"""`adp import`: other people's data sets as task files."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from adp_assets.intake.importers.gsm8k import read_gsm8k
from adp_resources.files import replacing
from adp_service.cli.output import note


class Format(StrEnum):
    gsm8k = "gsm8k"


def import_tasks(
    format: Annotated[Format, typer.Argument(help="What the file is.")],
    file: Annotated[Path, typer.Argument(help="The file to read.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The task file to write. Default: standard output.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-l", min=1, help="Only so many, the first.")
    ] = None,
) -> None:
    """Turn a data set into a task file with verifiers: `adp import gsm8k test.jsonl -l 50 -o tasks.jsonl`."""
    lines = (msgspec.json.encode(task) + b"\n" for task in read_gsm8k(file, limit))
    if out is None:
        for line in lines:
            sys.stdout.buffer.write(line)
        return
    count = 0
    with replacing(out) as temporary, temporary.open("wb") as written:
        for line in lines:
            written.write(line)
            count += 1
    note(f"{count} tasks written to {out}. Run them: adp run {out}")
