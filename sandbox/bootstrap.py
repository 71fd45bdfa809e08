"""How the driver gets into a jail: as bytecode over the control socket.

Its files may lie where the jail's user cannot read, and compiling them takes as long as making the
namespaces: so the jail's python compiles them once a pool, outside, and every jail only loads them.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path

from sandbox.errors import SandboxUnavailable

PYTHON = "/usr/bin/python3"
"""The python of every jail. The host's own may be a virtual environment that the jail's user cannot read."""

COMPILE = """
import json, marshal, sys
sources = json.load(sys.stdin)
modules = [(name, compile(source, name, "exec", optimize=2)) for name, source in sources]
sys.stdout.buffer.write(marshal.dumps(modules))
"""

# The first message on the control socket, one field: see `wire.pack`, which is not there yet.
BOOT = """
import marshal, os, sys
def start(control):
    size = int.from_bytes(os.read(control, 8), "big")
    message = b""
    while len(message) < size:
        message += os.read(control, size - len(message))
    for name, code in marshal.loads(message[4:]):
        module = sys.modules[name] = type(sys)(name)
        exec(code, module.__dict__)
    module.serve(control)
start(int(sys.argv[1]))
"""


async def compile_inside() -> bytes:
    """The modules that run inside, in the order they import each other, for `BOOT`.

    Raises SandboxUnavailable when there is no python for a jail.
    """
    if not os.access(PYTHON, os.X_OK):
        raise SandboxUnavailable(
            f"The sandbox runs code with {PYTHON}, which is not there.",
            "Install the system's python, e.g. `apt-get install python3-minimal`.",
        )
    return await asyncio.to_thread(_compile)


def _compile() -> bytes:
    folder = Path(__file__).parent
    sources = [
        (f"sandbox.{name}", (folder / f"{name}.py").read_text()) for name in ("wire", "child", "driver")
    ]
    compiled = subprocess.run(
        [PYTHON, "-I", "-S", "-c", COMPILE], input=json.dumps(sources).encode(), capture_output=True, env={}
    )
    if compiled.returncode != 0:
        raise SandboxUnavailable(
            f"{PYTHON} cannot compile the sandbox's driver: {compiled.stderr[-500:]!r}.",
            "Install python 3.9 or newer there.",
        )
    return compiled.stdout
