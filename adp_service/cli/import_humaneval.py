"""`adp import humaneval`: programming problems that come with tests."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from adp_assets.intake.importers.humaneval import programming_problem
from adp_assets.intake.importers.rows import read_rows, tasks_of
from adp_assets.intake.importers.seeds import Origin
from adp_service.cli.imports import Licence, Limit, Output, Source, check_output, stem, write_tasks


def import_humaneval(
    file: Source,
    output: Output = None,
    limit: Limit = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="Its name. Default: the file's.")
    ] = None,
    licence: Licence = None,
) -> None:
    """Programs to write, in HumanEval's shape or MBPP's: `adp import humaneval FILE -o tasks.jsonl`.

    Of a data set of another name give the licence, too: of a file of that shape alone nothing is known.
    """
    check_output(file, output)
    make = partial(programming_problem, Origin.of(dataset or stem(file), file.name, licence))
    write_tasks(tasks_of(read_rows(file, limit), make), file.name, output)
