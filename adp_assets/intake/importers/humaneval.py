"""Programming problems with tests: rows shaped like HumanEval's, or like MBPP's."""

from __future__ import annotations

import ast
from typing import Any

import msgspec
from msgspec import Struct

from adp_assets.intake.importers.rows import Row
from adp_assets.intake.importers.seeds import UNKNOWN, Origin, seed
from runtimes.contracts import TaskSpec
from runtimes.errors import InvalidTask

SHAPES = (
    "Its columns are prompt, entry_point, test (canonical_solution, task_id), as HumanEval's, or text, code, "
    "test_list, as MBPP's."
)
OWN_IDS = "HumanEval/"
"""How the ids begin in HumanEval itself, whatever the file is called."""
_HUMANEVAL = """Write the Python function `{name}` that this text begins. Answer with the whole program: \
what is here, and what is missing.

```python
{prompt}
```"""
_MBPP = "{text}\n\nWrite it in Python as `{signature}`."


class HumanEvalProblem(Struct, frozen=True):
    """HumanEval's columns. `test` defines check(candidate), or is asserts about the entry point."""

    prompt: str
    entry_point: str
    test: str
    canonical_solution: str = ""
    task_id: str | int = ""


class MbppProblem(Struct, frozen=True):
    """MBPP's columns, and those of its sanitized edition, which says `prompt` and `test_imports`."""

    code: str
    test_list: list[str]
    text: str = ""
    prompt: str = ""
    test_setup_code: str = ""
    test_imports: list[str] = []
    task_id: str | int = ""


def programming_problem(origin: Origin, row: Row) -> TaskSpec:
    """The task of one row, of either shape. Raises InvalidTask saying what it lacks."""
    try:
        if "test_list" in row.values:
            return _of_mbpp(origin, row.number, msgspec.convert(row.values, MbppProblem))
        return _of_humaneval(origin, row.number, msgspec.convert(row.values, HumanEvalProblem))
    except msgspec.ValidationError as error:
        raise InvalidTask(f"this is no programming problem: {error}.", SHAPES) from error


def _of_humaneval(origin: Origin, number: int, problem: HumanEvalProblem) -> TaskSpec:
    name = problem.entry_point
    if origin.licence == UNKNOWN and str(problem.task_id).startswith(OWN_IDS):
        origin = Origin.of("humaneval", origin.source)
    if problem.canonical_solution and not _defines(problem.prompt + problem.canonical_solution, name):
        raise InvalidTask(f"the solution defines no function {name!r}.")
    description = _HUMANEVAL.format(name=name, prompt=problem.prompt.strip())
    return _task(origin, number, problem.task_id, description, {"tests": problem.test, "entry_point": name})


def _of_mbpp(origin: Origin, number: int, problem: MbppProblem) -> TaskSpec:
    tests = "\n".join([*problem.test_imports, problem.test_setup_code, *problem.test_list]).strip()
    signature = _signature(problem.code, tests)
    description = _MBPP.format(text=(problem.text or problem.prompt).strip(), signature=signature)
    return _task(origin, number, problem.task_id, description, {"tests": tests + "\n"})


def _task(
    origin: Origin, number: int, known_as: str | int, description: str, spec: dict[str, Any]
) -> TaskSpec:
    return seed(
        origin,
        number,
        metadata={"source_id": known_as} if known_as != "" else {},
        task_type="code",
        description=description,
        expected_tools=["python_executor"],
        verifier={"kind": "python_tests", "spec": spec},
    )


def _signature(code: str, tests: str) -> str:
    """How the function is called that the tests are about; they alone, the text does not, say its name."""
    used = {node.id for node in ast.walk(_program(tests, "the tests")) if isinstance(node, ast.Name)}
    functions = _functions(_program(code, "the solution"))
    for function in functions:
        if function.name in used:
            return f"{function.name}({ast.unparse(function.args)})"
    raise InvalidTask("the tests use no function that the solution defines.")


def _defines(source: str, name: str) -> bool:
    return any(function.name == name for function in _functions(_program(source, "the solution")))


def _functions(program: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in program.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _program(source: str, what: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidTask(f"{what} is no Python program: {error}.") from error
