"""A measurement in a process of its own: CPU seconds, of all threads, and peak memory are nobody else's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT


def alone(module: str, *arguments: object) -> Any:
    """What `python -m MODULE ARGUMENTS` says in its last line. Raises RuntimeError when it fails."""
    return said_by([sys.executable, "-m", module, *map(str, arguments)])


def said_by(command: Sequence[str]) -> Any:
    """What a command says in its last line, as JSON. Raises RuntimeError when it fails."""
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {ran.returncode}: {ran.stderr.strip()[-500:]}")
    return json.loads(ran.stdout.splitlines()[-1])


def peak_mb() -> float:
    """The most memory this process has had since its program began, in MB.

    Unlike `ru_maxrss`, which begins with what the process that started it had.
    """
    status = Path("/proc/self/status").read_text()
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return round(int(kilobytes) * 1024 / 1e6, 1)
