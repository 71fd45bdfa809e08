"""`adp` commands forked from a process that has imported it: each in a process of its own, started at once.

`python -m tests.adp_service.forking` is that process. It reads a line of JSON a command, and answers with the
exit code. Started anew, each command would take two seconds of a core to import what it needs.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.llm_server.process import ROOT

PRELOADED = ("adp_service.cli.main", "alembic.command", "matplotlib.figure", "openai")
MOST_SECONDS = 300


class Forking:
    """The process to fork from, started with the first command. One command runs at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path, said: Path
    ) -> int:
        """The exit code of `adp` in `folder`; its standard output and error go to these two files."""
        command = {"arguments": arguments, "folder": str(folder), "environment": dict(environment)}
        command |= {"output": str(output), "said": str(said)}
        with self._turn:
            process = self._process = self._process or self._start(environment)
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(command) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline())

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.communicate()

    @staticmethod
    def _start(environment: Mapping[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def serve() -> None:
    """Fork a process for each command until standard input ends."""
    for module in PRELOADED:
        importlib.import_module(module)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            become(**json.loads(line))
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(
    arguments: Sequence[str], folder: str, environment: Mapping[str, str], output: str, said: str
) -> None:
    """Go on as that command, and end as it does."""
    from adp_service.cli.main import main

    signal.alarm(MOST_SECONDS)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, output, os.O_WRONLY | os.O_CREAT),
        (2, said, os.O_WRONLY | os.O_CREAT),
    ):
        file = os.open(path, flags, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["adp", *arguments]
    sys.exit(main())


if __name__ == "__main__":
    serve()
