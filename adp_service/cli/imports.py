"""`adp import`: other people's data sets and benchmarks as task files, a source a module beside this one."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from adp_resources.files import replacing
from adp_service.cli.output import note
from runtimes.contracts import TaskSpec

Output = Annotated[
    Path | None,
    typer.Option("--output", "--out", "-o", help="The task file to write. Default: standard output."),
]


def write_tasks(tasks: Iterable[TaskSpec], output: Path | None) -> None:
    """Write a task file, whole or not at all; without `output` its lines go to standard output."""
    lines = (msgspec.json.encode(task) + b"\n" for task in tasks)
    if output is None:
        for line in lines:
            sys.stdout.buffer.write(line)
        return
    count = 0
    with replacing(output) as temporary, temporary.open("wb") as written:
        for line in lines:
            written.write(line)
            count += 1
    note(f"{count} tasks written to {output}. Run them: adp run {output}")
