"""`adp import table`: any JSON lines, CSV or Parquet file, by a map of fields to columns."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from adp_assets.intake.importers.rows import read_rows, tasks_of
from adp_assets.intake.importers.seeds import Origin
from adp_assets.intake.importers.table import FieldMap
from adp_service.cli.imports import Licence, Limit, Output, Source, check_output, stem, write_tasks


def import_table(
    file: Source,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", "-m", metavar="FIELD=COLUMN", help="description, answer, priority, ..."),
    ] = None,
    constants: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="The same in every task: task_type=reasoning."),
    ] = None,
    verifier: Annotated[
        str,
        typer.Option("--verifier", "-v", help="What compares an answer with `answer`: exact, numeric, ..."),
    ] = "exact",
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="Its name. Default: the file's.")
    ] = None,
    output: Output = None,
    limit: Limit = None,
    licence: Licence = None,
) -> None:
    """Rows of a .jsonl, .csv or .parquet file: `adp import table qa.csv --map description=question
    --map answer=reply --set task_type=reasoning -o tasks.jsonl`. `docs/imports.md` lists the fields."""
    check_output(file, output)
    fields = FieldMap.parse(columns or [], constants or [], verifier)
    origin = Origin.of(dataset or stem(file), file.name, licence)
    write_tasks(tasks_of(read_rows(file, limit), partial(fields.task, origin)), file.name, output)
