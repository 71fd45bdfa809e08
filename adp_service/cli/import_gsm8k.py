"""`adp import gsm8k`: grade-school mathematics with known answers."""

from __future__ import annotations

from functools import partial

from adp_assets.intake.importers.gsm8k import word_problem
from adp_assets.intake.importers.rows import read_rows, tasks_of
from adp_assets.intake.importers.seeds import Origin
from adp_service.cli.imports import Licence, Limit, Output, Source, check_output, write_tasks


def import_gsm8k(file: Source, output: Output = None, limit: Limit = None, licence: Licence = None) -> None:
    """GSM8K's word problems: `adp import gsm8k test.jsonl -l 50 -o tasks.jsonl`."""
    check_output(file, output)
    make = partial(word_problem, Origin.of("gsm8k", file.name, licence))
    write_tasks(tasks_of(read_rows(file, limit), make), file.name, output)
