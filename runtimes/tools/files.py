"""The tool that keeps files in the episode's sandbox."""

from __future__ import annotations

from runtimes.errors import ToolError
from runtimes.tools.base import Tool, Workbench, parameters
from runtimes.tools.programs import guarded, run_inside, session_of
from runtimes.tools.shown import shortened


async def operate_on_files(
    bench: Workbench,
    operation: str,
    path: str = ".",
    content: str = "",
    destination: str = "",
    pattern: str = "",
    first_line: int = 1,
    last_line: int | None = None,
) -> str:
    _check(operation, path, destination)
    try:
        match operation:
            case "write":
                return await _write(bench, path, content.encode("utf-8", "replace"))
            case "append":
                return await _append(bench, path, content.encode("utf-8", "replace"))
            case "read":
                return await _read(bench, path, first_line, last_line)
    except (ValueError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ToolError("runtime_error", f"{operation} {path!r}: {str(reason).rstrip('.')}.") from error
    return await run_inside(
        bench, "files", operation=operation, path=path, destination=destination, pattern=pattern, text=content
    )


async def _write(bench: Workbench, path: str, data: bytes) -> str:
    session = await session_of(bench)
    await guarded(session.write(path, data))
    return f"wrote {len(data)} bytes to {path}"


async def _append(bench: Workbench, path: str, data: bytes) -> str:
    session = await session_of(bench)
    try:
        before = await guarded(session.read(path))
    except FileNotFoundError:
        before = b""
    await guarded(session.write(path, before + data))
    return f"appended {len(data)} bytes to {path}, which has {len(before) + len(data)} now"


async def _read(bench: Workbench, path: str, first: int, last: int | None) -> str:
    session = await session_of(bench)
    data = await guarded(session.read(path))
    if b"\0" in data:
        return f"[{path} is no text: {len(data)} bytes]"
    text = data.decode("utf-8", "replace")
    if first == 1 and last is None:
        return shortened(text)
    lines = text.splitlines(keepends=True)
    if first > max(1, len(lines)):
        raise ToolError("runtime_error", f"read {path!r}: it has {len(lines)} lines only.")
    return shortened("".join(lines[first - 1 : last]))


def _check(operation: str, path: str, destination: str) -> None:
    """Raise ToolError for a path that leaves the workspace, or one that is missing."""
    wanted = [path, destination] if operation == "move" else [path]
    for place in wanted:
        if place.startswith("/") or ".." in place.split("/") or "\0" in place:
            raise ToolError(
                "runtime_error",
                f"{operation} {place!r}: it leaves the working directory.",
                "Give a path relative to it, without '..'.",
            )
    if operation == "move" and not destination:
        raise ToolError("runtime_error", "move: there is no destination.", "Give the new path.")
    if operation in ("move", "delete") and not path.strip("./"):
        raise ToolError("runtime_error", f"{operation} {path!r}: that is the working directory itself.")


def _line(description: str) -> dict[str, object]:
    return {"type": "integer", "minimum": 1, "description": description}


FILE_OPERATIONS = Tool(
    name="file_operations",
    description="Work with files of the sandbox's working directory: read one (or some of its lines), write "
    "or append text to one, list a folder, move or delete a file or folder, find files by name and content.",
    parameters=parameters(
        ["operation"],
        operation={
            "type": "string",
            "enum": ["read", "write", "append", "list", "move", "delete", "find"],
        },
        path={"type": "string", "description": "Relative to the working directory, which it is if left out."},
        content={"type": "string", "description": "What to write or append; for find, text that lines hold."},
        destination={"type": "string", "description": "For move: the new path."},
        pattern={"type": "string", "description": "For find: names or paths with * and ?, such as *.csv."},
        first_line=_line("For read: the first line wanted, from 1."),
        last_line=_line("For read: the last line wanted."),
    ),
    action_type="code_execution",
    function=operate_on_files,
)
