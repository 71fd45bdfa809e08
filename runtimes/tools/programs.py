"""Runs programs of our own tools in the episode's sandbox, and says whose fault it is when that fails."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import cache
from pathlib import Path
from typing import TypeVar

from runtimes.errors import ErrorType, InfrastructureError, ToolError
from runtimes.text import well_formed
from runtimes.tools.base import Workbench
from runtimes.tools.shown import shortened
from runtimes.tools.workspace import Workspace
from sandbox import Result, SandboxError

T = TypeVar("T")

_FOLDER = Path(__file__).with_name("inside")
_APART = "import os, sys\nsys.path[:] = [place for place in sys.path if place not in ('', os.getcwd())]\n"
"""A file of the agent's may be called as a module that our program imports."""

_ERROR_TYPES: dict[str, ErrorType] = {
    "compile_error": "compile_error",
    "timeout": "timeout",
    "cpu_limit": "timeout",
}


async def run_inside(bench: Workbench, program: str, **arguments: str) -> str:
    """What the `main` of a program of `inside/` printed. Raises ToolError with what it said on failing."""
    plain = {name: well_formed(value) for name, value in arguments.items()}
    session = await session_of(bench)
    return answer(await guarded(session.run(code=f"{_APART}{_source(program)}\nmain(**{plain!r})\n")))


@cache
def _source(program: str) -> str:
    return (_FOLDER / f"{program}.py").read_text("utf-8")


def answer(result: Result) -> str:
    """The output alone. Raises ToolError, of the matching type, when the run did not end well."""
    if result.status == "ok":
        return shortened(result.stdout.rstrip("\n"))
    said = "\n".join(filter(None, (result.stdout.strip(), result.stderr.strip())))
    # Of our own programs this is how they say that something is wrong; the word would tell nothing.
    head = "" if result.status == "runtime_error" and said else f"{result.status}\n"
    raise ToolError(error_type_of(result.status), f"{head}{shortened(said)}".strip())


def observation(result: Result) -> str:
    """What an agent sees of a run of its code.

    Raises ToolError, of the matching type, when the run did not end well.
    """
    parts = [f"status: {result.status}"]
    if result.stdout:
        parts.append(f"stdout:\n{shortened(result.stdout)}")
    if result.stderr:
        parts.append(f"stderr:\n{shortened(result.stderr)}")
    text = "\n".join(parts)
    if result.status == "ok":
        return text
    raise ToolError(error_type_of(result.status), text)


def error_type_of(status: str) -> ErrorType:
    """The platform's error type of a sandbox status that is the code's own doing."""
    return _ERROR_TYPES.get(status, "runtime_error")


async def session_of(bench: Workbench) -> Workspace:
    return await guarded(bench.session())


async def guarded(work: Awaitable[T]) -> T:
    """A broken sandbox is the platform's failure, not the agent's."""
    try:
        return await work
    except SandboxError as error:
        raise InfrastructureError(
            "system_error", f"The sandbox failed: {error}", "See `adp doctor`."
        ) from error
