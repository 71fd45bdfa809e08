"""Tables in files of the sandbox, asked by SQL and by Python."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from runtimes.errors import ToolError
from runtimes.tools.base import Workbench
from runtimes.tools.data_analysis import analyse
from runtimes.tools.files import operate_on_files
from tests.runtimes.scripted import ScriptedModel, code_task, finishes, services

SALES = "city,price\n杭州,10\nBern,20\n杭州,5\n"


@pytest.fixture
async def bench() -> AsyncIterator[Workbench]:
    async with services(ScriptedModel(finishes())) as opened, Workbench(code_task(), opened) as bench:
        await operate_on_files(bench, "write", "sales.csv", SALES)
        yield bench


async def test_sql_reads_files_by_name_and_shows_a_table_with_its_types(bench: Workbench) -> None:
    shown = await analyse(
        bench, "sql", "SELECT city, sum(price) AS total FROM 'sales.csv' GROUP BY city ORDER BY 2"
    )
    assert shown.splitlines()[0] == "columns: city VARCHAR, total HUGEINT"
    assert shown.index("杭州") < shown.index("Bern")
    assert "15" in shown


async def test_several_statements_run_in_turn_and_tables_are_kept_as_files(bench: Workbench) -> None:
    made = "CREATE TABLE t AS FROM 'sales.csv'; COPY (SELECT max(price) AS m FROM t) TO 'max.parquet'"
    await analyse(bench, "sql", made)
    assert "20" in await analyse(bench, "sql", "FROM 'max.parquet'")
    assert "done, without a table" in await analyse(bench, "sql", "CREATE TABLE x (a INT)")


async def test_json_and_parquet_are_read_without_a_network(bench: Workbench) -> None:
    await operate_on_files(bench, "write", "a.json", '[{"k": "v"}, {"k": "w"}]')
    assert "w" in await analyse(bench, "sql", "SELECT k FROM 'a.json' WHERE k > 'v'")


async def test_python_has_polars_and_shows_the_value_of_its_last_line(bench: Workbench) -> None:
    code = "frame = pl.read_csv('sales.csv')\nframe.group_by('city').agg(pl.col('price').sum()).sort('city')"
    shown = await analyse(bench, "python", code)
    assert "shape: (2, 2)" in shown
    assert "杭州" in shown
    assert await analyse(bench, "python", "print('a')\n6 * 7") == "a\n42"
    assert "20" in await analyse(bench, "python", 'import duckdb\nduckdb.sql("SELECT 20 AS a").fetchall()')


@pytest.mark.parametrize("language", ["sql", "python"])
async def test_a_large_table_is_cut_to_size(bench: Workbench, language: str) -> None:
    code = {
        "sql": "SELECT range AS n, repeat('x', 500) AS long FROM range(100000)",
        "python": "pl.DataFrame({'n': range(100_000), 'long': ['x' * 500] * 100_000})",
    }[language]
    shown = await analyse(bench, language, code)
    assert len(shown) < 10_000
    assert "characters cut" not in shown
    assert {"sql": "40 shown", "python": "shape: (100_000, 2)"}[language] in shown


async def test_faults_are_told_in_the_words_of_the_language_without_frames_of_ours(bench: Workbench) -> None:
    with pytest.raises(ToolError, match=r"^BinderException: .*Referenced column .town. not found") as wrong:
        await analyse(bench, "sql", "SELECT town FROM 'sales.csv'")
    assert "Traceback" not in str(wrong.value)
    with pytest.raises(ToolError, match="ParserException"):
        await analyse(bench, "sql", "SELEC 1")
    with pytest.raises(ToolError, match=r'(?s)<analysis>", line 2.*ZeroDivisionError') as wrong:
        await analyse(bench, "python", "x = 0\n1 / x")
    assert "run_python" not in str(wrong.value)
    with pytest.raises(ToolError, match="SyntaxError") as wrong:
        await analyse(bench, "python", "x = = 1")
    assert wrong.value.error_type == "compile_error"


async def test_code_of_the_agents_own_is_imported_but_never_in_place_of_the_library(bench: Workbench) -> None:
    await operate_on_files(bench, "write", "duckdb.py", "raise RuntimeError('mine')")
    await operate_on_files(bench, "write", "own.py", "ANSWER = 42")
    assert "1" in await analyse(bench, "sql", "SELECT 1 AS one")
    assert await analyse(bench, "python", "import own\nown.ANSWER") == "42"


async def test_what_does_not_fit_into_memory_is_refused_in_words(bench: Workbench) -> None:
    with pytest.raises(ToolError, match=r"(?i)out of memory|memory_limit|disk"):
        await analyse(bench, "sql", "SELECT list(r.range || repeat('x', 1000)) FROM range(1000000) r")
