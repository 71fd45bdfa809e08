"""`adp import gsm8k`: grade-school mathematics with known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adp_assets.intake.importers.gsm8k import read_gsm8k
from adp_service.cli.imports import Output, write_tasks


def import_gsm8k(
    file: Annotated[Path, typer.Argument(help="The JSONL file to read.")],
    output: Output = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-l", min=1, help="Only so many, the first.")
    ] = None,
) -> None:
    """GSM8K's word problems: `adp import gsm8k test.jsonl -l 50 -o tasks.jsonl`."""
    write_tasks(read_gsm8k(file, limit), output)
