"""What episodes cost in the process that runs them: CPU a step, memory, and code tasks a second."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from benchmarks.llm.calls import DELAY_MS, IN_FLIGHT
from benchmarks.measure import ROOT, Peak
from tests.llm_server.process import RunningServer, llm_server

TASKS, QUICK_TASKS = 1000, 16
TOOL_CALLS = 2
"""Replies that call a tool, before the one that completes the task."""


@dataclass(frozen=True)
class Episodes:
    """What the process that ran them says of so many tasks, and the peak PSS seen of it, in MB."""

    tasks: int
    steps: int
    solved: int
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float


def measure(*, quick: bool) -> dict[str, float]:
    """The loop alone: a tool that gives a text at once, no sandbox; warmed up by a few tasks.

    CPU is of the process with all its threads from the round's start to its end, journal included: the
    client's, the agent loop's, the verdict's, the journal's and its files'. Tasks are many at once.
    """
    with llm_server("steps", turns=TOOL_CALLS, delay_ms=DELAY_MS) as server:
        ran = run(server, "trivial", tasks=QUICK_TASKS if quick else TASKS, at_once=IN_FLIGHT)
    return {
        "cpu_ms_per_step": round(1000 * ran.cpu_seconds / ran.steps, 2),
        "peak_memory_mb": round(ran.peak_memory_mb),
    }


def run(server: RunningServer, kind: str, *, tasks: int, at_once: int) -> Episodes:
    """Tasks of a `kind` (see round.py) in a process of their own. Raises RuntimeError when it fails."""
    command = [sys.executable, "-m", "benchmarks.llm.round", kind, server.url, str(tasks), str(at_once)]
    starting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with starting as process, Peak(process.pid) as peak:
        output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    told: dict[str, Any] = json.loads(output)
    if told["solved"] != tasks:
        raise RuntimeError(f"{told['solved']} of {tasks} tasks were solved")
    return Episodes(tasks=tasks, peak_memory_mb=peak.megabytes, **told)
