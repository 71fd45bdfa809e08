"""An MCP server whose tools keep state, hang, break, die and leave processes; only the standard library.

It speaks the protocol of 2025-06-18 over its standard streams, one request at a time.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

calls = 0


def count() -> str:
    """How often it was called in this process."""
    global calls
    calls += 1
    return str(calls)


def whoami() -> str:
    """The process, its folder and its environment."""
    environment = "\n".join(f"{name}={value}" for name, value in os.environ.items())
    return f"pid {os.getpid()}\ncwd {os.getcwd()}\n{environment}"


def die() -> str:
    """End the server in the middle of a call."""
    print("the disk is on fire", file=sys.stderr, flush=True)
    os._exit(3)


def hang() -> str:
    """Never answer, nor end when asked to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Event().wait()
    return ""


def leave_behind() -> str:
    """Start a process in a session of its own, which nobody waits for; its pid."""
    return str(subprocess.Popen(["sleep", "1000"], start_new_session=True).pid)


def big(characters: int) -> str:
    """A long text."""
    return "a" + "x" * (characters - 2) + "z"


def flood() -> str:
    """Write a message without an end."""
    sys.stdout.write("{")
    while True:
        sys.stdout.write("x" * (1 << 20))


def fail() -> str:
    """Break within the server, so that no tool answers."""
    raise LookupError("of the right index")


def refuse(reason: str) -> str:
    """Say that the call was wrong."""
    raise ValueError(reason)


TOOLS = {tool.__name__: tool for tool in (count, whoami, die, hang, leave_behind, big, flood, fail, refuse)}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The result of one request."""
    if method == "initialize":
        about = {"name": "unruly", "version": "1"}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": about}
    if method == "tools/list":
        if "UNRULY_HIDES" in os.environ:
            hang()
        schema = {"type": "object"}
        listed = [{"name": n, "description": t.__doc__, "inputSchema": schema} for n, t in TOOLS.items()]
        return {"tools": listed}
    if method != "tools/call":
        raise LookupError(method)
    try:
        text, is_error = TOOLS[params["name"]](**params.get("arguments", {})), False
    except ValueError as error:
        text, is_error = str(error), True
    return {"content": [{"type": "text", "text": text}], "isError": is_error}


def main() -> None:
    if once := os.environ.get("UNRULY_ONCE"):
        open(once, "x").close()  # another start fails
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            reply["result"] = answer(request["method"], request.get("params", {}))
        except LookupError as error:
            reply["error"] = {"code": -32601, "message": f"no method {error}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
