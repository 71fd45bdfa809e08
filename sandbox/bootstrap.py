"""How the code of `sandbox.inside` gets into a slot: as bytecode in a file in memory.

Its files may lie where the jail's user cannot read, and compiling them takes as long as making the
namespaces: so the jail's python compiles them once a host process, outside, and every slot only loads them.
"""

from __future__ import annotations

import asyncio
import json
import marshal
import os
import subprocess
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxUnavailable
from sandbox.inside.runner import BOOT, PYTHON
from sandbox.inside.wire import memory_file

# In the order they import each other.
PROGRAM = ("wire", "figures", "program")
SLOT = (*PROGRAM, "interpreter", "usage", "jail", "runner", "fork_hook", "init")
READY_MADE = (*SLOT, "ready_made")
ZYGOTE = (*SLOT, "preload", "kernel", "zygote")
NSJAIL = (*ZYGOTE, "nsjail")
WALLED = (*SLOT, "kernel", "landlock", "space", "walled")

_COMPILED: dict[tuple[str, ...], bytes] = {}

COMPILE = """
import json, marshal, sys
sources = json.load(sys.stdin)
modules = [(name, compile(source, name, "exec", optimize=2)) for name, source in sources]
sys.stdout.buffer.write(marshal.dumps(modules))
"""


async def boot_file(names: tuple[str, ...], arguments: tuple[Any, ...]) -> int:
    """A descriptor of a file for `BOOT`: these modules, and what `start` of the last one is called with.

    `arguments` are plain values, as marshal takes them. Raises SandboxUnavailable without a python for jails.
    """
    compiled = _COMPILED.get(names)
    if compiled is None:
        compiled = _COMPILED[names] = await asyncio.to_thread(_compile, names)
    entry = f"sandbox.inside.{names[-1]}"
    return memory_file(compiled + marshal.dumps((entry, arguments), 2))


def boot_command(file: int) -> list[str]:
    """The command that starts a python with a boot file: apart from the user, with nothing of its own.

    Without site, which would add the host's packages, and run code of some of them.
    """
    return [PYTHON, "-I", "-S", "-B", "-c", BOOT, str(file)]


def _compile(names: tuple[str, ...]) -> bytes:
    if not os.access(PYTHON, os.X_OK):
        raise SandboxUnavailable(
            f"The sandbox runs code with {PYTHON}, which is not there.",
            "Install the system's python, e.g. `apt-get install python3-minimal`.",
        )
    folder = Path(__file__).parent / "inside"
    sources = [("sandbox", ""), ("sandbox.inside", "")]
    sources += [(f"sandbox.inside.{name}", (folder / f"{name}.py").read_text()) for name in names]
    command = [PYTHON, "-I", "-S", "-c", COMPILE]
    compiled = subprocess.run(command, input=json.dumps(sources).encode(), capture_output=True, env={})
    if compiled.returncode != 0 or not compiled.stdout:
        raise SandboxUnavailable(
            f"{PYTHON} cannot compile what runs inside a slot: {compiled.stderr[-500:]!r}.",
            "Install python 3.9 or newer there.",
        )
    return compiled.stdout
