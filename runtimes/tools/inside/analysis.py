"""What `data_analysis` runs in the jail: SQL by DuckDB, or Python with polars, over files there."""

import ast
import os
import resource
import sys
import traceback

MOST_ROWS = 40
MOST_COLUMNS = 30
WIDEST_CELL = 80
WIDEST = 160  # characters of a line


def main(language: str, code: str) -> None:
    """Run it and show the last value; a failure ends with its reason alone, without our own frames."""
    if language == "sql":
        run_sql(code)
    else:
        import polars

        polars.Config.set_tbl_rows(MOST_ROWS).set_tbl_cols(MOST_COLUMNS)
        polars.Config.set_fmt_str_lengths(WIDEST_CELL).set_tbl_width_chars(WIDEST)
        sys.path.insert(0, os.getcwd())
        run_python(code, {"pl": polars, "polars": polars, "__name__": "__main__"})


def run_sql(code: str) -> None:
    import duckdb

    connection = duckdb.connect(
        config={
            # By itself it starts one a core and eight more, each of which costs 8 MB of the limit.
            "threads": 1,
            "async_threads": 1,
            "memory_limit": f"{memory_mb()}MB",
            "temp_directory": ".duckdb",
            "autoinstall_known_extensions": False,
        }
    )
    try:
        shown = None
        for statement in connection.extract_statements(code):
            shown = connection.sql(statement.query)
        if shown is None or (shown.columns == ["Count"] and not len(shown)):
            print("done, without a table")
        else:
            print(
                f"columns: {', '.join(f'{n} {t}' for n, t in zip(shown.columns, shown.types, strict=True))}"
            )
            shown.show(max_rows=MOST_ROWS, max_col_width=WIDEST_CELL, max_width=WIDEST)
    except duckdb.Error as error:
        sys.exit(f"{type(error).__name__}: {error}")


def run_python(code: str, names: dict[str, object]) -> None:
    try:
        tree = ast.parse(code, "<analysis>")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "<analysis>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<analysis>", "eval"), names)
            if value is not None:
                print(value)
    except Exception as error:
        while error.__traceback__ and error.__traceback__.tb_frame.f_code.co_filename != "<analysis>":
            error.__traceback__ = error.__traceback__.tb_next
        traceback.print_exception(error)
        sys.exit(1)


def memory_mb() -> int:
    """Half of what this process may have, so that DuckDB writes to disk before the limit ends it."""
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return max(32, limit // 2 >> 20) if limit != resource.RLIM_INFINITY else 256
