"""Small programs of our own on text that an agent wrote, each in a process that can be killed.

A regular expression, or a schema that holds one, can take for ever on the right text, and no thread of this
process could be stopped then. A sandbox is not needed, since nothing here runs the agent's code, and a
verifier that holds a page may not wait for one.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import AsyncExitStack
from typing import Any
from weakref import WeakKeyDictionary

from runtimes.errors import InfrastructureError
from runtimes.grading.clock import uncounted

CPU_SECONDS = 5
"""What a check may take of the processor: a busy machine is no fault of the text."""
SECONDS = 60.0
"""What it may take in all; one that takes longer without using the processor is our failure."""
MEMORY_BYTES = 1 << 30
AT_ONCE = 4

_SEARCH = """
import re
def run(pattern, text):
    return re.search(pattern, text) is not None
"""
_VALIDATE = """
import jsonschema, referencing
from jsonschema.exceptions import best_match
def run(schema, value):
    # A registry of nothing: by default a reference to elsewhere is fetched.
    validator = jsonschema.Draft202012Validator(schema, registry=referencing.Registry())
    fault = best_match(validator.iter_errors(value))
    return "" if fault is None else f"{fault.json_path}: {fault.message}"[:300]
"""
_FRAME = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]),) * 2)
try:
    answer = {"value": run(*json.load(sys.stdin))}
except BaseException as error:
    answer = {"broke": f"{type(error).__name__}: {error}"[:300]}
json.dump(answer, sys.stdout)
"""


class Unchecked(Exception):
    """The check took for ever, had no room, or broke on a text that may have been made for that."""


async def search(pattern: str, text: str) -> bool:
    """Whether the regular expression is found in `text`. Raises Unchecked."""
    return await _run(_SEARCH, [pattern, text], "-S") is True


async def schema_fault(schema: Any, value: Any) -> str:
    """What a JSON value has against a schema of draft 2020-12; empty for a valid one. Raises Unchecked."""
    return str(await _run(_VALIDATE, [schema, value]))


async def _run(program: str, arguments: list[Any], *options: str) -> Any:
    code = program + _FRAME
    command = [sys.executable, "-I", *options, "-c", code, str(MEMORY_BYTES), str(CPU_SECONDS)]
    async with AsyncExitStack() as stack:
        with uncounted():
            await stack.enter_async_context(_room())
        out, ended = await _answer(command, json.dumps(arguments).encode())
    if ended == -signal.SIGXCPU or ended == -signal.SIGKILL:
        raise Unchecked(f"longer than {CPU_SECONDS} s")
    try:
        answer = json.loads(out)
    except ValueError:
        raise Unchecked("the process ended") from None
    if "broke" in answer:
        raise Unchecked(answer["broke"])
    return answer["value"]


async def _answer(command: list[str], given: bytes) -> tuple[bytes, int]:
    """What the process printed, and how it ended. Raises InfrastructureError where it does not end."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, _ = await process.communicate(given)
    except TimeoutError:
        raise InfrastructureError("timeout", f"A verifier's check took more than {SECONDS:g} s.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return out, process.returncode


def _room() -> asyncio.Semaphore:
    """Of the running loop: hundreds of interpreters at once would take the machine's memory."""
    loop = asyncio.get_running_loop()
    if loop not in _ROOMS:
        _ROOMS[loop] = asyncio.Semaphore(AT_ONCE)
    return _ROOMS[loop]


_ROOMS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
