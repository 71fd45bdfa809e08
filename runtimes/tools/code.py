"""Tools that run code and keep files in the episode's sandbox."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from runtimes.errors import ErrorType, InfrastructureError, ToolError
from runtimes.tools.base import Tool, Workbench, parameters
from runtimes.tools.workspace import Workspace
from sandbox import Result, SandboxError

T = TypeVar("T")

SHOWN_CHARACTERS = 8_000
"""How much of each stream an observation shows; a model's context is dearer than the rest of a log."""

_ERROR_TYPES: dict[str, ErrorType] = {
    "compile_error": "compile_error",
    "timeout": "timeout",
    "cpu_limit": "timeout",
}


async def run_python(bench: Workbench, code: str) -> str:
    session = await _session(bench)
    return observation(await _guarded(session.step(code)))


async def run_shell(bench: Workbench, command: str) -> str:
    session = await _session(bench)
    return observation(await _guarded(session.run(shell=command)))


async def operate_on_files(bench: Workbench, operation: str, path: str = ".", content: str = "") -> str:
    session = await _session(bench)
    try:
        if operation == "write":
            data = content.encode("utf-8", "replace")
            await _guarded(session.write(path, data))
            return f"wrote {len(data)} bytes to {path}"
        if operation == "read":
            return shortened((await _guarded(session.read(path))).decode("utf-8", "replace"))
        return "\n".join(await _guarded(session.listdir(path))) or "(empty)"
    except (ValueError, OSError) as error:
        raise ToolError("runtime_error", f"{operation} {path!r}: {error}.") from error


def observation(result: Result) -> str:
    """What an agent sees of a run. Raises ToolError, of the matching type, when the run did not end well."""
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


def shortened(text: str) -> str:
    """The text, its middle cut out and the cut marked when it is long."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    half = SHOWN_CHARACTERS // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters cut ...]\n{text[-half:]}"


async def _session(bench: Workbench) -> Workspace:
    return await _guarded(bench.session())


async def _guarded(work: Awaitable[T]) -> T:
    """A broken sandbox is the platform's failure, not the agent's."""
    try:
        return await work
    except SandboxError as error:
        raise InfrastructureError(
            "system_error", f"The sandbox failed: {error}", "See `adp doctor`."
        ) from error


PYTHON_EXECUTOR = Tool(
    name="python_executor",
    description="Run Python 3 code in the sandbox (no network) and see what it prints and the value of its "
    "last expression. Variables, imports and files in the working directory last from call to call; a call "
    "that crosses a limit, such as that of time, ends the variables.",
    parameters=parameters(code={"type": "string", "description": "The code, of one line or many."}),
    action_type="code_execution",
    function=run_python,
)

SHELL_EXECUTOR = Tool(
    name="shell_executor",
    description="Run a shell command in the sandbox's working directory and see its output.",
    parameters=parameters(command={"type": "string", "description": "A command for sh -c."}),
    action_type="code_execution",
    function=run_shell,
)

FILE_OPERATIONS = Tool(
    name="file_operations",
    description="Read, write or list files of the sandbox's working directory.",
    parameters=parameters(
        ["operation"],
        operation={"type": "string", "enum": ["read", "write", "list"]},
        path={"type": "string", "description": "Relative to the working directory."},
        content={"type": "string", "description": "What to write."},
    ),
    action_type="code_execution",
    function=operate_on_files,
)
