"""Small programs of our own on text that an agent wrote, each in a process that can be killed.

A regular expression, or a schema that holds one, can take for ever on the right text, and no thread of this
process could be stopped then. A sandbox is not needed, since nothing here runs the agent's code, and a
verifier that holds a page may not wait for one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from runtimes.errors import VerifierFault

SECONDS = 5.0
MEMORY_BYTES = 1 << 30

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
try:
    answer = {"value": run(*json.load(sys.stdin))}
except BaseException as error:
    answer = {"error": f"{type(error).__name__}: {error}"[:300]}
json.dump(answer, sys.stdout)
"""


class TookTooLong(Exception):
    """The text was made to take for ever, or the process had no room for it."""


async def search(pattern: str, text: str) -> bool:
    """Whether the regular expression is found in `text`. Raises TookTooLong."""
    return await _run(_SEARCH, [pattern, text], "-S") is True


async def schema_fault(schema: Any, value: Any) -> str:
    """What a JSON value has against a schema of draft 2020-12; empty for a valid one. Raises TookTooLong."""
    return str(await _run(_VALIDATE, [schema, value]))


async def _run(program: str, arguments: list[Any], *options: str) -> Any:
    command = [sys.executable, "-I", *options, "-c", program + _FRAME, str(MEMORY_BYTES)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, _ = await process.communicate(json.dumps(arguments).encode())
    except TimeoutError:
        raise TookTooLong(f"longer than {SECONDS:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        answer = json.loads(out)
    except ValueError:
        raise TookTooLong("the process ended") from None
    if "error" in answer:
        if answer["error"].startswith(("RecursionError", "MemoryError")):
            raise TookTooLong(answer["error"])
        raise VerifierFault(f"The verifier's check failed: {answer['error']}")
    return answer["value"]
