"""The test's side: starts the server as a process of its own and asks it what it did."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class RunningServer:
    """A server that answers; `url` is the base address an OpenAI client wants."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def stats(self) -> dict[str, Any]:
        """What was asked of the server so far.

        `replies` counts chat completions by HTTP status, `closed` (by the server) and `abandoned` (by the
        client); `in_flight` and `max_in_flight` are requests at once, now and at most.
        """
        return self._get("/stats")

    def plan(self) -> dict[str, str]:
        """The kind of reply planned for each question: right, wrong, malformed, e429 or e500."""
        return self._get("/plan")

    def malformed(self) -> dict[str, str]:
        """The fault of each malformed one: not_json, unknown_tool, empty_message or half_body."""
        return self._get("/malformed")

    def _get(self, path: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            found: dict[str, Any] = json.loads(connection.getresponse().read())
            return found
        finally:
            connection.close()


@contextmanager
def llm_server(script: str, **options: object) -> Iterator[RunningServer]:
    """A server that runs `script`; options are those of the command, as in `delay_ms=5`, `turns=4`.

    Raises RuntimeError when it does not start; its own words are on stderr.
    """
    command = [sys.executable, "-m", "tests.llm_server", "--script", script]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            if not ready:
                raise RuntimeError(f"The test LLM server ended with {process.wait()}: {' '.join(command)}")
            yield RunningServer(json.loads(ready)["port"], process.pid)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
