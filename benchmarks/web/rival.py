"""BrowserGym in a virtual environment of its own, made when first needed: its Playwright is an old one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.rivals import Unavailable, install

REQUIREMENTS = ("browsergym-core==0.14.3", "playwright==1.44.0")
INSIDE = Path(__file__).with_name("rival_inside.py")


class BrowserGym:
    """One environment at one page. Both methods give the seconds of each of `count` and raise Unavailable."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def steps(self, count: int) -> list[float]:
        """Click the page's button, wait as it waits, observe."""
        return self._ask(f"step {count}\n")

    def observations(self, count: int) -> list[float]:
        """Observe only."""
        return self._ask(f"observe {count}\n")

    def read(self) -> list[float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Unavailable(f"BrowserGym ended with {self._process.wait()}")
        return list(json.loads(line))

    def _ask(self, line: str) -> list[float]:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()
        return self.read()


@contextmanager
def browsergym(browser: str, url: str, *, delays: bool = False) -> Iterator[BrowserGym]:
    """At `url`, without the waits it can do without, or with all of its defaults. Raises Unavailable."""
    python = install("BrowserGym", "browsergym", REQUIREMENTS)
    command = [str(python), str(INSIDE), browser, url, *(["delays"] if delays else [])]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd="/"
    ) as process:
        rival = BrowserGym(process)
        try:
            rival.read()
            yield rival
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)
        finally:
            process.kill()
