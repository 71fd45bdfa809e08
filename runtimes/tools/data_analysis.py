"""The tool that asks questions of tables: SQL or Python over files of the episode's sandbox."""

from __future__ import annotations

from runtimes.tools.base import Tool, Workbench, parameters
from runtimes.tools.programs import run_inside


async def analyse(bench: Workbench, language: str, code: str) -> str:
    return await run_inside(bench, "analysis", language=language, code=code)


DATA_ANALYSIS = Tool(
    name="data_analysis",
    description="Analyse tables in files of the working directory; shows the result as a table, cut to size. "
    "SQL is DuckDB's and reads files by name: SELECT city, sum(price) FROM 'sales.csv' GROUP BY city "
    "(CSV, JSON and Parquet). Python has polars as pl, and shows the value of the last line. Only files last "
    "from call to call: COPY (SELECT ...) TO 'out.csv' keeps a table.",
    parameters=parameters(
        language={"type": "string", "enum": ["sql", "python"]},
        code={"type": "string", "minLength": 1, "description": "The statements, or the program."},
    ),
    action_type="code_execution",
    function=analyse,
)
